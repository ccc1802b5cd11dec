import { setTimeout as sleep } from 'node:timers/promises';

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}

/** The delay before attempt `attempt` (from 1): doubles each time up to `maxMs`, with jitter on half of it. */
export function backOffMs({ baseMs, maxMs, random }: Backoff, attempt: number): number {
  return Math.round(Math.min(maxMs, baseMs * 2 ** (attempt - 1)) * (0.5 + random() / 2));
}

/** Waits before an attempt. Rejects when aborted. */
export async function backOff(backoff: Backoff, attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(backOffMs(backoff, attempt), undefined, { signal });
}
