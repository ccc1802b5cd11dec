import { setTimeout as sleep } from 'node:timers/promises';

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}

/** Waits before attempt `attempt` (from 1): twice as long each time, half of it at random. Rejects when aborted. */
export async function backOff({ baseMs, maxMs, random }: Backoff, attempt: number, signal: AbortSignal): Promise<void> {
  const fullMs = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
  await sleep(fullMs * (0.5 + random() / 2), undefined, { signal });
}
