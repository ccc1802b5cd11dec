import type { ServerCheck } from './about.ts';
import { grade, ok, warn, type Finding, type Limits } from './finding.ts';

/** The guide calls a statement long after 5 s, which is also the deadline of our writes: it is surely not ours. */
const longSeconds = 5;

/** In seconds. PostgreSQL ends our own idle transactions after 30 s. */
const idleLimits: Limits = { warn: 5, fail: 30 };

/** In seconds. Vacuum removes nothing that the oldest transaction may still see. */
const ageLimits: Limits = { warn: 60, fail: 600 };

interface Session {
  readonly pid: number;
  readonly application: string;
  readonly seconds: number;
}

/** Without the text of the statement: it may hold what users typed. */
const sessionsSql = (since: string, condition: string): string => `
  select pid, left(coalesce(nullif(application_name, ''), 'unnamed'), 30) as application,
         extract(epoch from clock_timestamp() - ${since})::float8 as seconds
  from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid() and ${condition}
  order by ${since} limit 5`;

/** The guide's query, without sessions that have long been done with their last statement. */
const longSql = sessionsSql(
  'query_start',
  `state = 'active' and clock_timestamp() - query_start > interval '${longSeconds} seconds'`,
);
const idleSql = sessionsSql('state_change', `state like 'idle in transaction%'`);
const oldestSql = sessionsSql('xact_start', 'xact_start is not null');
const waitingSql = sessionsSql('state_change', `wait_event_type = 'Lock'`);

/** Who keeps locks, rows and connections longer than anybody should. */
export const checkStatements: ServerCheck = async ({ role: where, ask }) => {
  const long = await ask<Session>(longSql);
  const idle = await ask<Session>(idleSql);
  const oldest = await ask<Session>(oldestSql);
  const waiting = await ask<Session>(waitingSql);
  const ended = 'End it with pg_terminate_backend(pid), and mend who opened it';
  return [
    gradeLong(where, long),
    grade(
      { check: 'idle in transaction', where },
      longest(idle),
      idleLimits,
      list(idle),
      `${ended}; idle_in_transaction_session_timeout does it by itself.`,
    ),
    grade(
      { check: 'oldest transaction', where },
      longest(oldest),
      ageLimits,
      list(oldest.slice(0, 1)),
      `Until it ends, vacuum keeps every row that died since. ${ended}.`,
    ),
    waiting.length === 0
      ? ok({ check: 'waiting for locks', where }, 'none')
      : warn(
          { check: 'waiting for locks', where },
          list(waiting),
          'select pg_blocking_pids(pid) names who holds them.',
        ),
  ];
};

function gradeLong(where: 'primary' | 'standby', long: readonly Session[]): Finding {
  const subject = { check: `statements over ${longSeconds} s`, where };
  const advice =
    'Look at them in pg_stat_activity by pid; pg_cancel_backend(pid) ends one. Messenger itself runs none so long.';
  return long.length === 0 ? ok(subject, 'none') : warn(subject, list(long), advice);
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
