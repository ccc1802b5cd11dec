import type { AskedServer } from '../db/asked-server.ts';
import { type FeedTable, publicationName } from './feed.ts';

/** Why the feed cannot follow the log of a server, and the lines that mend it. */
export interface FeedProblem {
  readonly found: string;
  readonly advice: string;
}

interface Facts {
  readonly level: string;
  /** Null for a role that does not exist. */
  readonly mayReplicate: boolean | null;
  readonly slots: number;
  readonly usedSlots: number;
  readonly senders: number;
  readonly usedSenders: number;
  /** Feeds that run now, ours among them. */
  readonly feeds: number;
  readonly isPublished: boolean;
  /** Of our tables. */
  readonly columns: readonly { readonly table: string; readonly column: string; readonly isPublished: boolean }[];
  readonly role: string;
  readonly database: string;
}

const factsSql = `
  select current_setting('wal_level') as level,
    (select rolreplication or rolsuper from pg_roles where rolname = $1) as "mayReplicate",
    current_setting('max_replication_slots')::int as slots,
    (select count(*)::int from pg_replication_slots) as "usedSlots",
    current_setting('max_wal_senders')::int as senders,
    (select count(*)::int from pg_stat_replication) as "usedSenders",
    (select count(*)::int from pg_replication_slots where slot_name like 'messenger\\_feed\\_%' and database = current_database()) as feeds,
    exists (select from pg_publication where pubname = $2) as "isPublished",
    quote_ident($1) as role, quote_ident(current_database()) as database,
    (select coalesce(json_agg(json_build_object('table', relname, 'column', attname, 'isPublished', exists (
         select from pg_publication_tables where pubname = $2 and schemaname = 'public' and tablename = relname and attname = any (attnames)))
         order by relname, attnum), '[]')
     from pg_class join pg_attribute on attrelid = pg_class.oid
     where relnamespace = 'public'::regnamespace and relname = any ($3) and attnum > 0 and not attisdropped) as columns`;

/** Reads what the feed of role `user` needs of a primary with a complete schema. Rejects as `pg` does. */
export async function findFeedProblems(
  { ask }: Pick<AskedServer, 'ask'>,
  user: string,
  tables: readonly FeedTable[],
): Promise<FeedProblem[]> {
  const names = tables.map(({ name }) => name);
  const [facts] = await ask<Facts & Record<string, unknown>>(factsSql, [user, publicationName, names]);
  if (facts === undefined) throw new Error('the server returned no facts');
  return [...judgeServer(facts), ...judgePublication(facts, tables)];
}

function judgeServer({ level, mayReplicate, role, ...facts }: Facts): FeedProblem[] {
  const problems: FeedProblem[] = [];
  if (level !== 'logical')
    problems.push({
      found: `wal_level is ${level}`,
      advice: `alter system set wal_level = 'logical', and restart it`,
    });
  if (mayReplicate !== true)
    problems.push({ found: `the role ${role} may not replicate`, advice: `alter role ${role} replication` });
  if (facts.feeds === 0 && facts.usedSlots >= facts.slots)
    problems.push({
      found: `all ${facts.slots} replication slots are in use`,
      advice: `alter system set max_replication_slots = '${facts.slots + 10}', and restart it`,
    });
  if (facts.feeds === 0 && facts.usedSenders >= facts.senders)
    problems.push({
      found: `all ${facts.senders} WAL senders are in use`,
      advice: `alter system set max_wal_senders = '${facts.senders + 10}', and restart it`,
    });
  return problems;
}

function judgePublication({ isPublished, columns }: Facts, tables: readonly FeedTable[]): FeedProblem[] {
  const lists = tables.map(({ name, without }) => ({
    name,
    columns: columns.filter(({ table, column }) => table === name && !without.includes(column)),
  }));
  const missing = lists.flatMap((list) => list.columns.filter((one) => !one.isPublished));
  if (isPublished && missing.length === 0) return [];
  const list = lists.map((one) => `${one.name} (${one.columns.map(({ column }) => column).join(', ')})`).join(', ');
  const verb = isPublished
    ? `alter publication ${publicationName} set table`
    : `create publication ${publicationName} for table`;
  const first = missing.slice(0, 3).map(({ table, column }) => `${table}.${column}`);
  const found = isPublished
    ? `the publication ${publicationName} lacks ${first.join(', ')}${missing.length > 3 ? ' …' : ''}`
    : `there is no publication ${publicationName}`;
  return [{ found, advice: `as the owner of the database: ${verb} ${list}` }];
}
