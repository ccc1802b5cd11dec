import type { ServerCheck } from './about.ts';
import { grade, ok, warn, type Limits } from './finding.ts';

/** Fractions of the connections for ordinary roles. */
const inUse: Limits = { warn: 0.8, fail: 0.95 };

/** Without `pg_monitor`, a role sees only that sessions of other roles exist. */
const clients = `from pg_stat_activity
  where datid is not null and coalesce(backend_type, 'client backend') = 'client backend' and pid <> pg_backend_pid()`;

/** The guide's query by state. */
const byStateSql = `select coalesce(state, 'hidden') as name, count(*)::int as count ${clients} group by 1 order by 2 desc, 1`;

/** The guide's query by application. Names are truncated: a client may choose any. */
const byApplicationSql = `select left(coalesce(nullif(application_name, ''), 'unnamed'), 30) as name, count(*)::int as count
  ${clients} group by 1 order by 2 desc, 1 limit 8`;

const capacitySql = `select current_setting('superuser_reserved_connections')::int as reserved, current_setting('max_connections')::int
  - current_setting('superuser_reserved_connections')::int - current_setting('reserved_connections')::int as capacity`;

const keepSome =
  'When all are in use, no superuser can connect to find the cause: alter system set superuser_reserved_connections = 3, and restart it.';

interface Count {
  readonly name: string;
  readonly count: number;
}

/** Checks the number of connections, by state and by application. */
export const checkConnections: ServerCheck = async ({ where, role, ask }) => {
  const states = await ask<Count>(byStateSql);
  const applications = await ask<Count>(byApplicationSql);
  const [row] = await ask<{ capacity: number; reserved: number }>(capacitySql);
  const open = states.reduce((sum, { count }) => sum + count, 0);
  const capacity = row?.capacity ?? 0;
  const option = role === 'primary' ? 'DB_WRITE_MAX_OPEN_CONNS' : 'DB_READ_MAX_OPEN_CONNS';
  return [
    ok({ check: 'connections by state', where }, list(states)),
    ok({ check: 'connections by application', where }, list(applications)),
    grade(
      { check: 'connections in use', where },
      open / capacity,
      inUse,
      `${open} of ${capacity}`,
      `Their owners are listed above. Close what is not needed, lower ${option}, or raise max_connections.`,
    ),
    ...(row?.reserved === 0
      ? [warn({ check: 'connections in use', where }, 'none is kept for superusers', keepSome)]
      : []),
  ];
};

function list(counts: readonly Count[]): string {
  return counts.length === 0 ? 'none' : counts.map(({ name, count }) => `${name} ${count}`).join(', ');
}
