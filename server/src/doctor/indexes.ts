import type { About, Server, ServerCheck } from './about.ts';
import { askNames } from './ask.ts';
import type { CheckName } from './check-names.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { areHidden, findOwnTables } from './own-tables.ts';

/** Only in the schemas of the search path. */
const missingSql = `select name from unnest($1::text[]) as wanted (name)
  where not exists (select from pg_class where relname = name and relkind = 'i' and pg_table_is_visible(oid)) order by 1`;

/** Without those being built now. */
const invalidSql = `select i.indexrelid::regclass::text as name from pg_index i where not (indisvalid and indisready)
  and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) order by 1`;

const unusedSql = `select s.indexrelid::regclass::text as name from pg_stat_user_indexes s join pg_index i using (indexrelid)
  where s.idx_scan = 0 and not i.indisunique
    and clock_timestamp() - coalesce((select stats_reset from pg_stat_database where datname = current_database()),
                                     pg_postmaster_start_time()) > $1 * interval '1 hour'
  order by 1`;

/** The guide's query, for tables with expensive scans. Its column `tablename` is now `relname`. */
const scannedSql = `select relname || ' (' || seq_scan || ' of ' || seq_scan + coalesce(idx_scan, 0) || ' scans)' as name
  from pg_stat_user_tables
  where n_live_tup > 10000 and seq_scan > 100 and coalesce(idx_scan, 0)::float8 / (coalesce(idx_scan, 0) + seq_scan + 1) < 0.9
  order by seq_scan desc limit 5`;

/** Checks that the indexes exist, are valid and are used. A standby has the same indexes; only their use differs. */
export const checkIndexes: ServerCheck = async (server, about) => {
  const { where, role } = server;
  const line = (check: CheckName, names: readonly string[], otherwise: typeof fail, advice: string): Finding =>
    names.length === 0 ? ok({ check, where }, 'none') : otherwise({ check, where }, names.join(', '), advice);
  const scanned = line(
    'sequential scans',
    await askNames(server, scannedSql),
    warn,
    'Most reads scan the whole table. Find the statement (pg_stat_statements, auto_explain), and add an index.',
  );
  if (role === 'standby') return [scanned];
  return [
    ...(await findMissing(server, about)),
    line(
      'invalid indexes',
      await askNames(server, invalidSql),
      fail,
      'A build failed; for each: reindex index concurrently <name>.',
    ),
    scanned,
  ];
};

/** Created by the migrations. Skipped when our names resolve to other tables: see `search path`. */
async function findMissing(server: Server, about: About): Promise<Finding[]> {
  if (areHidden(await findOwnTables(server, about))) return [];
  const { indexes } = about.expected;
  const missing = await askNames(server, missingSql, [[...indexes.keys()]]);
  const subject = { check: 'missing indexes', where: server.where } as const;
  if (missing.length === 0) return [ok(subject, 'none')];
  const statements = missing.map((name) =>
    indexes.get(name)?.replace(/ index (?:concurrently )?/iu, ' index concurrently '),
  );
  const advice = `The migrations created them; they were dropped later. Create them again: ${statements.join('; ')}.`;
  return [fail(subject, missing.join(', '), advice)];
}

/** Indexes that no migration creates and that no server has scanned. Each server has its own statistics. */
export async function findUnusedIndexes(
  servers: readonly Server[],
  { expected, limits: { unusedAfterHours: hours } }: About,
): Promise<Finding> {
  const unused = await Promise.all(servers.map(async (server) => askNames(server, unusedSql, [hours])));
  const [first = [], ...others] = unused;
  const ours = expected.indexes;
  const unscanned = first.filter((name) => !ours.has(name) && others.every((other) => other.includes(name)));
  const subject = { check: 'unused indexes', where: 'all' } as const;
  if (unscanned.length === 0) return ok(subject, 'none');
  return warn(
    subject,
    unscanned.join(', '),
    `They cost every write, and no migration of Messenger creates them. If no rare query needs them: drop index concurrently ${unscanned[0]}.`,
  );
}
