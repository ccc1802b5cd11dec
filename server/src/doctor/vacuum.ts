import type { ServerCheck } from './about.ts';
import { fail, grade, ok, warn, type Finding, type Limits } from './finding.ts';

const subjectOf = (check: string) => ({ check, where: 'primary' }) as const;

const autovacuumSql = `select current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on' as runs`;

const disabledSql = `select oid::regclass::text as name from pg_class
  where relkind = 'r' and reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off'] order by 1`;

/** A table's dead rows, when they are more than autovacuum would leave. */
const deadSql = `select relname as name, n_dead_tup::int as dead, n_live_tup::int as live from pg_stat_user_tables
  where n_dead_tup > 10000 and n_dead_tup > n_live_tup * 0.2 order by n_dead_tup desc limit 5`;

/**
 * Pages that a table has beyond what its rows need, from the planner's statistics: 28 bytes for each row's header and
 * pointer, 8168 for rows in a page. An estimate, as good as the last analyze (PostgreSQL wiki, "Show database bloat").
 */
const bloatSql = `
  select relname as name, (relpages - needed)::float8 * 8192 / 2 ^ 20 as "wastedMegabytes",
         (relpages - needed)::float8 / relpages as share
  from (select c.relname, c.relpages, ceil(c.reltuples * (28 + sum(s.avg_width * (1 - s.null_frac))) / 8168) as needed
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
        where c.relkind = 'r' and c.reltuples >= 0 and n.nspname not in ('pg_catalog', 'information_schema')
        group by c.oid, c.relname, c.relpages, c.reltuples) sizes
  where relpages > needed and (relpages - needed) * 8192 > 10 * 2 ^ 20
  order by 2 desc limit 5`;

/** Transaction ids since the oldest row was frozen; at about 2.1 billion, PostgreSQL stops taking writes. */
const ageLimits: Limits = { warn: 1_000_000_000, fail: 1_600_000_000 };
const ageSql = `select age(datfrozenxid)::float8 as age from pg_database where datname = current_database()`;

interface Bloat {
  readonly name: string;
  readonly wastedMegabytes: number;
  readonly share: number;
}

/** Whether vacuum runs, and keeps up. On the primary: the standby has the same files. */
export const checkVacuum: ServerCheck = async ({ ask }) => {
  const [autovacuum] = await ask<{ runs: boolean }>(autovacuumSql);
  const disabled = (await ask<{ name: string }>(disabledSql)).map(({ name }) => name);
  const dead = await ask<{ name: string; dead: number; live: number }>(deadSql);
  const bloat = await ask<Bloat>(bloatSql);
  const [frozen] = await ask<{ age: number }>(ageSql);
  const age = frozen?.age ?? 0;
  return [
    gradeAutovacuum(autovacuum?.runs === true, disabled),
    dead.length === 0
      ? ok(subjectOf('dead rows'), 'few')
      : warn(
          subjectOf('dead rows'),
          dead.map((one) => `${one.name}: ${one.dead} dead, ${one.live} live`).join(', '),
          'Vacuum does not keep up, or an old transaction or slot holds it back. `vacuum (verbose)` of the table says which.',
        ),
    gradeBloat(bloat),
    grade(
      subjectOf('age of the oldest row'),
      age,
      ageLimits,
      `${Math.round(age / 1_000_000)} million transactions`,
      'Run `vacuum freeze`; at 2100 million PostgreSQL takes no more writes.',
    ),
  ];
};

function gradeAutovacuum(runs: boolean, disabled: readonly string[]): Finding {
  const subject = subjectOf('autovacuum');
  if (!runs)
    return fail(
      subject,
      'off',
      'Set autovacuum and track_counts to on: without them pages and lists grow slower for ever.',
    );
  if (disabled.length === 0) return ok(subject, 'on');
  return fail(subject, `off for ${disabled.join(', ')}`, '`alter table … reset (autovacuum_enabled)`.');
}

function gradeBloat(tables: readonly Bloat[]): Finding {
  const bloated = tables.filter(({ share }) => share > 0.5);
  if (bloated.length === 0) return ok(subjectOf('bloat'), 'little');
  const found = bloated.map(({ name, wastedMegabytes, share }) => {
    return `${name}: about ${Math.round(wastedMegabytes)} MB, ${Math.round(100 * share)} % of it, are empty`;
  });
  const advice = 'New rows will use the space. To give it back, `vacuum full` in a quiet hour: it locks the table.';
  return warn(subjectOf('bloat'), found.join(', '), advice);
}
