import { describeFailure } from './db/errors.ts';
import type { Pool } from './db/pool.ts';
import { statement } from './db/statement.ts';
import type { UnreadyReason } from './http/readiness.ts';
import { AppError } from './lib/app-error.ts';
import { withDeadline } from './lib/with-deadline.ts';
import type { Log } from './telemetry/log.ts';

/** Long enough for one question, short enough for a health check's own deadline. */
const timeoutMs = 2_000;

const askRole = statement<{ inRecovery: boolean }>('readiness', 'select pg_is_in_recovery() as "inRecovery"');

/**
 * Without the standby, reads go to the primary: the server is as ready as the primary is. The log has the failure once, when the
 * state changes: it may name addresses and roles.
 */
export function primaryCheck(pool: Pool, log: Log): () => Promise<UnreadyReason | undefined> {
  let last: UnreadyReason | undefined;
  return async () => {
    const { reason, failure } = await askPrimary(pool);
    if (reason !== undefined && reason !== last) log.warn({ reason, failure }, 'not ready');
    if (reason === undefined && last !== undefined) log.info('ready again');
    return (last = reason);
  };
}

async function askPrimary(pool: Pool): Promise<{ reason?: UnreadyReason; failure?: string }> {
  try {
    // A write pool finishes what it has sent, so the wait has an end of its own: a frozen primary must not hold the answer.
    const [row] = await withDeadline(pool.query(askRole, [], AbortSignal.timeout(timeoutMs)), timeoutMs + 100);
    return row?.inRecovery === true ? { reason: 'primary_read_only' } : {};
  } catch (error) {
    const cause = error instanceof AppError && error.cause !== undefined ? error.cause : error;
    return { reason: 'primary_unavailable', failure: describeFailure(cause) };
  }
}
