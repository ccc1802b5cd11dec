import { describeFailure } from './db/errors.ts';
import type { Pool } from './db/pool.ts';
import { countNeeded } from './db/standby-durability.ts';
import { statement } from './db/statement.ts';
import type { UnreadyReason } from './http/readiness.ts';
import { AppError } from './lib/app-error.ts';
import { withDeadline } from './lib/with-deadline.ts';
import type { RepeatLog } from './telemetry/repeat-log.ts';

/** Enough for one query, below a health check's own deadline. */
const timeoutMs = 2_000;

interface PrimaryState {
  readonly inRecovery: boolean;
  /** Standbys that commits wait for; empty for none. */
  readonly names: string;
  /** Those of them that stream; null when our role cannot see it. */
  readonly confirming: number | null;
}

const askState = statement<PrimaryState>(
  'readiness',
  `select pg_is_in_recovery() as "inRecovery", current_setting('synchronous_standby_names') as names,
    (select case when count(*) filter (where sync_state is null) = 0
       then count(*) filter (where sync_state in ('sync', 'quorum') and state = 'streaming')::int end
     from pg_stat_replication) as confirming`,
);

const lines = {
  unready: { level: 'warn', key: 'unready', one: 'not ready', many: 'not ready' },
  ready: { level: 'info', key: 'ready', one: 'ready again', many: 'ready again' },
} as const;

/**
 * Without the standby, reads go to the primary: the server is ready if the primary is. While commits wait for an
 * unavailable standby, each write fails at its deadline: not ready. The failure is logged once per change of state,
 * because it may contain addresses and roles.
 */
export function primaryCheck(pool: Pool, log: RepeatLog): () => Promise<UnreadyReason | undefined> {
  let last: UnreadyReason | undefined;
  return async () => {
    const { reason, failure } = await askPrimary(pool);
    if (reason !== undefined && reason !== last) log.add(lines.unready, () => ({ reason, failure }));
    if (reason === undefined && last !== undefined) log.add(lines.ready, () => ({}));
    return (last = reason);
  };
}

async function askPrimary(pool: Pool): Promise<{ reason?: UnreadyReason; failure?: string }> {
  try {
    // A write pool completes statements that it has sent, so the wait needs its own deadline: a frozen primary must not
    // block the answer.
    const [row] = await withDeadline(pool.query(askState, [], AbortSignal.timeout(timeoutMs)), timeoutMs + 100);
    return row === undefined ? {} : judge(row);
  } catch (error) {
    const cause = error instanceof AppError && error.cause !== undefined ? error.cause : error;
    return { reason: 'primary_unavailable', failure: describeFailure(cause) };
  }
}

function judge({ inRecovery, names, confirming }: PrimaryState): { reason?: UnreadyReason; failure?: string } {
  if (inRecovery) return { reason: 'primary_read_only' };
  if (confirming === null || confirming >= countNeeded(names)) return {};
  return {
    reason: 'no_standby_confirms',
    failure: `${confirming} standbys confirm commits, ${countNeeded(names)} needed`,
  };
}
