import { setTimeout as sleep } from 'node:timers/promises';

/** Between two polls: a tenth of the time waited so far, because conditions that start processes would take a whole CPU. */
const pauseMs = { least: 10, most: 100 };

/** Polls until the condition holds. The default limit is far above what a busy machine needs; a test that meets it has failed. */
export async function waitFor(
  what: string,
  isDone: () => Promise<boolean> | boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const startedAt = performance.now();
  while (!(await isDone())) {
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > timeoutMs) throw new Error(`no ${what} within ${timeoutMs} ms`);
    await sleep(Math.min(Math.max(waitedMs / 10, pauseMs.least), pauseMs.most));
  }
}
