import { setTimeout as sleep } from 'node:timers/promises';

const everyMs = 20;

/** Asks again and again until the answer is yes; fails after `timeoutMs` with what was waited for. */
export async function waitFor(
  what: string,
  isDone: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(everyMs);
  }
}
