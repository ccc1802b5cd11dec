import type { Clock } from '../lib/clock.ts';

/** Why a server is not ready. The database's message goes only to the log. */
export type UnreadyReason = 'draining' | 'primary_unavailable' | 'primary_read_only' | 'no_standby_confirms';

/** Undefined when ready. Never rejects. */
export type ReadinessCheck = () => Promise<UnreadyReason | undefined>;

const everyMs = 1_000;

/** Shares a check among all callers: it runs at most once a second, and other calls get its latest result, or wait for the first one. */
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
