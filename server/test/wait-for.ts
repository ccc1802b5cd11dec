import { setTimeout as sleep } from 'node:timers/promises';

const everyMs = 20;

/** Repeats the question until the answer is true; fails after `timeoutMs` with the description. */
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
