import type { ServerCheck } from './about.ts';
import { askNames } from './ask.ts';
import { fail, ok } from './finding.ts';

const unloggedSql = `select oid::regclass::text as name from pg_class
  where relpersistence = 'u' and relkind in ('r', 'm', 'S') and relnamespace::regnamespace::text !~ '^pg_'
    and relname <> all ($1) order by 1`;

/** A crash truncates them, and a standby has none of their rows. */
export const checkUnlogged: ServerCheck = async (server, { expected }) => {
  const names = await askNames(server, unloggedSql, [expected.unlogged]);
  const subject = { check: 'unlogged tables', where: server.where } as const;
  if (names.length === 0) return [ok(subject, 'none')];
  const advice = `A crash empties them, and the standby cannot read them. For each, in a quiet hour, because it rewrites the table: alter table ${names[0]} set logged.`;
  return [fail(subject, names.join(', '), advice)];
};
