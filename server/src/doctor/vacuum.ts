import type { ServerCheck } from './about.ts';
import { askNames, askOne } from './ask.ts';
import { changeSetting } from './change-setting.ts';
import type { CheckName } from './check-names.ts';
import { fail, grade, ok, warn, type Finding, type Subject } from './finding.ts';
import type { DoctorLimits } from './limits.ts';

const subjectOf = (check: CheckName): Subject => ({ check, where: 'primary' });

const autovacuumSql = `select name from unnest(array['autovacuum', 'track_counts']) name where current_setting(name) = 'off'`;

const disabledSql = `select oid::regclass::text as name from pg_class
  where relkind = 'r' and reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off'] order by 1`;

/** A table with more dead rows than autovacuum would leave. */
const deadSql = `select relid::regclass::text as name, n_dead_tup::int as dead, n_live_tup::int as live from pg_stat_user_tables
  where n_dead_tup > 10000 and n_dead_tup > n_live_tup * 0.2 order by n_dead_tup desc limit 5`;

/**
 * Bloat: pages beyond what the rows need, estimated from the planner's statistics, with 28 bytes for each row's header and
 * pointer, and 8168 bytes for rows in a page. As good as the last analyze (PostgreSQL wiki, "Show database bloat").
 */
const bloatSql = `
  select oid::regclass::text as name, (relpages - needed)::float8 * 8192 / 2 ^ 20 as "wastedMegabytes",
         (relpages - needed)::float8 / relpages as share
  from (select c.oid, c.relpages, ceil(c.reltuples * (28 + sum(s.avg_width * (1 - s.null_frac))) / 8168) as needed
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
        where c.relkind = 'r' and c.reltuples >= 0 and n.nspname not in ('pg_catalog', 'information_schema')
        group by c.oid, c.relname, c.relpages, c.reltuples) sizes
  where relpages > needed and (relpages - needed) * 8192 > 10 * 2 ^ 20
  order by 2 desc limit 5`;

/** Of all databases: the oldest stops the whole server. */
const ageSql = `select datname as name, greatest(age(datfrozenxid), mxid_age(datminmxid))::float8 as age,
    mxid_age(datminmxid) > age(datfrozenxid) as "isMulti", datallowconn as "mayConnect", datname = current_database() as "isOurs"
  from pg_database order by 2 desc, datname = current_database() desc limit 1`;

interface Age {
  /** Of the database. */
  readonly name: string;
  readonly age: number;
  /** Whether the age is of multixacts (shared row locks), not of transactions. */
  readonly isMulti: boolean;
  readonly mayConnect: boolean;
  readonly isOurs: boolean;
}

interface Bloat {
  readonly name: string;
  readonly wastedMegabytes: number;
  readonly share: number;
}

interface Dead {
  readonly name: string;
  readonly dead: number;
  readonly live: number;
}

/** Checks that vacuum runs and keeps up. Only on the primary: the standby has the same files. */
export const checkVacuum: ServerCheck = async (server, { limits }) => {
  const { ask } = server;
  const off = await askNames(server, autovacuumSql);
  const changes = await Promise.all(off.map(async (name) => changeSetting(server, name, 'on')));
  const disabled = await askNames(server, disabledSql);
  const dead = gradeDead(await ask<Dead>(deadSql));
  const bloat = gradeBloat(await ask<Bloat>(bloatSql));
  const oldest = await askOne<Age>(server, ageSql);
  return [gradeAutovacuum(off, changes, disabled), dead, bloat, gradeAge(oldest, limits)];
};

function gradeAge({ name, age, isMulti, mayConnect, isOurs }: Age, { rowAge }: DoctorLimits): Finding {
  const counted = isMulti ? 'shared row locks' : 'transactions';
  const found = `${(age / 1_000_000).toFixed(1)} million ${counted}${isOurs ? '' : `, in the database ${name}`}`;
  const open = mayConnect ? '' : `alter database ${name} allow_connections true; `;
  const advice = `${open}\`vacuum (freeze)\` in ${isOurs ? 'this database' : name}; at 2100 million PostgreSQL accepts no more writes.`;
  return grade(subjectOf('transaction age'), age, rowAge, found, advice);
}

function gradeDead(tables: readonly Dead[]): Finding {
  if (tables.length === 0) return ok(subjectOf('dead rows'), 'few');
  const found = tables.map(({ name, dead, live }) => `${name}: ${dead} dead, ${live} live`).join(', ');
  const advice =
    'Vacuum does not keep up, or an old transaction or slot holds it back; this says which: ' +
    `vacuum (verbose) ${tables[0]?.name}.`;
  return warn(subjectOf('dead rows'), found, advice);
}

function gradeAutovacuum(off: readonly string[], changes: readonly string[], disabled: readonly string[]): Finding {
  const subject = subjectOf('autovacuum');
  if (off.length > 0)
    return fail(
      subject,
      `${off.join(', ')} off`,
      `${changes.join('; ')}. Without them, lists become slower without limit.`,
    );
  if (disabled.length === 0) return ok(subject, 'on');
  return fail(subject, `off for ${disabled.join(', ')}`, `alter table ${disabled[0]} reset (autovacuum_enabled).`);
}

function gradeBloat(tables: readonly Bloat[]): Finding {
  const bloated = tables.filter(({ share }) => share > 0.5);
  if (bloated.length === 0) return ok(subjectOf('bloat'), 'little');
  const found = bloated.map(({ name, wastedMegabytes, share }) => {
    return `${name}: about ${Math.round(wastedMegabytes)} MB, ${Math.round(100 * share)} % of it, are empty`;
  });
  const advice = `New rows will use the space. To give it back, in a quiet hour, because it locks the table: vacuum full ${bloated[0]?.name}.`;
  return warn(subjectOf('bloat'), found.join(', '), advice);
}
