import type { Server, ServerCheck } from './about.ts';
import { grade, ok, warn, type Finding } from './finding.ts';

interface Session {
  readonly pid: number;
  readonly application: string;
  readonly seconds: number;
}

/** Without the text of the statement: it may contain user data. */
const sessionsSql = (since: string, condition: string): string => `
  select pid, left(coalesce(nullif(application_name, ''), 'unnamed'), 30) as application,
         extract(epoch from clock_timestamp() - ${since})::float8 as seconds
  from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid() and ${condition}
  order by ${since} limit 5`;

/** The guide's query, without idle sessions. */
const longSql = sessionsSql(
  'query_start',
  `state = 'active' and clock_timestamp() - query_start > $1 * interval '1 second'`,
);
const idleSql = sessionsSql('state_change', `state like 'idle in transaction%'`);
const oldestSql = sessionsSql('xact_start', 'xact_start is not null');
const waitingSql = sessionsSql('state_change', `wait_event_type = 'Lock'`);

/** Sessions that block others and wait for no lock themselves. */
const holdersSql = sessionsSql(
  'xact_start',
  `wait_event_type is distinct from 'Lock' and pid in (select unnest(pg_blocking_pids(pid)) from pg_stat_activity where wait_event_type = 'Lock')`,
);

/** Checks for sessions that hold locks, rows or connections too long. */
export const checkStatements: ServerCheck = async ({ where, ask }, { limits }) => {
  const long = await ask<Session>(longSql, [limits.statementSeconds]);
  const idle = await ask<Session>(idleSql);
  const oldest = (await ask<Session>(oldestSql)).slice(0, 1);
  const waiting = await ask<Session>(waitingSql);
  const holders = waiting.length === 0 ? [] : await ask<Session>(holdersSql);
  return [
    gradeLong(where, long),
    grade(
      { check: 'idle in transaction', where },
      longest(idle),
      limits.idleSeconds,
      list(idle),
      `${endOf(idle)}, and fix the program that opened it; idle_in_transaction_session_timeout = '30s' does it automatically.`,
    ),
    grade(
      { check: 'oldest transaction', where },
      longest(oldest),
      limits.transactionSeconds,
      list(oldest),
      `Until it ends, vacuum keeps every row deleted since: ${endOf(oldest)}.`,
    ),
    gradeWaiting(where, waiting, holders),
  ];
};

function gradeLong(where: Server['where'], long: readonly Session[]): Finding {
  const subject = { check: 'long statements', where } as const;
  if (long.length === 0) return ok(subject, 'none');
  const pids = long.map(({ pid }) => pid).join(', ');
  const advice =
    `select pid, query from pg_stat_activity where pid in (${pids}) shows them; select pg_cancel_backend(pid) ends one. ` +
    'Messenger has no statement that long.';
  return warn(subject, list(long), advice);
}

function gradeWaiting(where: Server['where'], waiting: readonly Session[], holders: readonly Session[]): Finding {
  const subject = { check: 'lock waits', where } as const;
  if (waiting.length === 0) return ok(subject, 'none');
  const advice =
    holders.length === 0
      ? `select pg_blocking_pids(${waiting[0]?.pid}) names who holds them.`
      : `Held by ${list(holders)}: select pg_terminate_backend(${holders[0]?.pid}) ends it.`;
  return warn(subject, list(waiting), advice);
}

function endOf(sessions: readonly Session[]): string {
  return `select pg_terminate_backend(${sessions[0]?.pid}) ends it`;
}

function longest(sessions: readonly Session[]): number {
  return Math.max(0, ...sessions.map(({ seconds }) => seconds));
}

function list(sessions: readonly Session[]): string {
  if (sessions.length === 0) return 'none';
  return sessions
    .map(({ pid, application, seconds }) => `${application} (pid ${pid}) ${seconds.toFixed(1)} s`)
    .join(', ');
}
