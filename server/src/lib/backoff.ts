import { setTimeout as sleep } from 'node:timers/promises';

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}

/** How long to wait before attempt `attempt` (from 1): twice as long each time up to `maxMs`, half of it at random. */
export function backOffMs({ baseMs, maxMs, random }: Backoff, attempt: number): number {
  return Math.round(Math.min(maxMs, baseMs * 2 ** (attempt - 1)) * (0.5 + random() / 2));
}

/** Waits before an attempt. Rejects when aborted. */
export async function backOff(backoff: Backoff, attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(backOffMs(backoff, attempt), undefined, { signal });
}
