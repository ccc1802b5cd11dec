import { setTimeout as sleep } from 'node:timers/promises';

const everyMs = 20;

/** Polls until the condition holds. The default limit is far above what a busy machine needs; a test that meets it has failed. */
export async function waitFor(
  what: string,
  isDone: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`no ${what} within ${timeoutMs} ms`);
    await sleep(everyMs);
  }
}
