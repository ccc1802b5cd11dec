import type { Clock } from '../lib/clock.ts';

/** Why a server is not ready. What the database said goes to the log alone. */
export type UnreadyReason = 'draining' | 'primary_unavailable' | 'primary_read_only' | 'no_standby_confirms';

/** Undefined when everything that is needed answers. Never rejects. */
export type ReadinessCheck = () => Promise<UnreadyReason | undefined>;

const everyMs = 1_000;

/**
 * Shares a check among all who ask: it runs at most once a second, and who asks meanwhile gets its newest result, or waits for the
 * first one.
 */
export function shareCheck(check: ReadinessCheck, clock: Clock): ReadinessCheck {
  let newest: Promise<UnreadyReason | undefined> | undefined;
  let beganMs = 0;
  let isRunning = false;
  return async () => {
    if (newest === undefined || (!isRunning && clock.now() - beganMs >= everyMs)) {
      beganMs = clock.now();
      isRunning = true;
      newest = check().finally(() => (isRunning = false));
    }
    return await newest;
  };
}
