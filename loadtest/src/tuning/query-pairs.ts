import { Client } from 'pg';

import { findDatabaseUrl } from '../database-url.ts';
import { median, medianRatio } from './statistics.ts';

/** One of the guide's query optimisations: two equivalent statements. */
interface QueryPair {
  readonly name: string;
  /** The saving that the guide claims. */
  readonly claim: string;
  readonly slow: string;
  readonly fast: string;
  /** Its parameters: none, an id ($1), or an id and two names ($1, $2, $3). */
  readonly takes: 'nothing' | 'id' | 'id and names';
}

const columns = 'id, first_name, last_name, created_at, updated_at';
const pageOrder = 'from users order by created_at desc, id desc limit 100';

const pairs: readonly QueryPair[] = [
  {
    name: 'list 100: `select *` → columns',
    claim: '30–50%',
    slow: `select * ${pageOrder}`,
    fast: `select ${columns} ${pageOrder}`,
    takes: 'nothing',
  },
  {
    name: 'by id: `order by id limit 1` → none',
    claim: '10–20%',
    slow: `select ${columns} from users where id = $1 order by id limit 1`,
    fast: `select ${columns} from users where id = $1 limit 1`,
    takes: 'id',
  },
  {
    name: 'update: all columns → the changed',
    claim: '20–30%',
    slow: `update users set id = id, first_name = $2, last_name = $3, created_at = created_at, updated_at = now() where id = $1`,
    fast: 'update users set first_name = $2, last_name = $3, updated_at = now() where id = $1',
    takes: 'id and names',
  },
];

export interface PairResult {
  readonly name: string;
  readonly claim: string;
  readonly slowMicros: number;
  readonly fastMicros: number;
  /** Median of `fast ÷ slow` over neighbouring blocks. */
  readonly ratio: number;
}

const users = 10_000;
const blocks = 31;
const statementsPerBlock = 50;

/** Measures both sides of each pair on the primary of a running server, prepared, one connection, in turns. */
export async function measureQueryPairs(dataDir: string): Promise<PairResult[]> {
  const client = new Client({ connectionString: await findDatabaseUrl(['--data-dir', dataDir]) });
  await client.connect();
  try {
    const ids = await insertUsers(client);
    const results: PairResult[] = [];
    for (const pair of pairs) results.push(await measurePair(client, pair, ids));
    return results;
  } finally {
    await client.end();
  }
}

async function insertUsers(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `insert into users (first_name, last_name) select 'Ada' || n, 'Lovelace' || n from generate_series(1, ${users}) n
     returning id`,
  );
  await client.query('vacuum analyze users');
  return rows.map(({ id }) => id);
}

async function measurePair(client: Client, pair: QueryPair, ids: readonly string[]): Promise<PairResult> {
  const slow: number[] = [];
  const fast: number[] = [];
  await measureBlock(client, pair, 'slow', ids, 0);
  await measureBlock(client, pair, 'fast', ids, 0);
  for (let block = 0; block < blocks; block++) {
    const isSlowFirst = block % 2 === 0;
    if (isSlowFirst) slow.push(await measureBlock(client, pair, 'slow', ids, block));
    fast.push(await measureBlock(client, pair, 'fast', ids, block));
    if (!isSlowFirst) slow.push(await measureBlock(client, pair, 'slow', ids, block));
  }
  const { name, claim } = pair;
  return { name, claim, slowMicros: median(slow), fastMicros: median(fast), ratio: medianRatio(fast, slow) };
}

/** Microseconds per statement, measured by the client; both sides of a block use the same rows. */
async function measureBlock(
  client: Client,
  pair: QueryPair,
  side: 'slow' | 'fast',
  ids: readonly string[],
  block: number,
): Promise<number> {
  const name = `${side} ${pair.name}`.slice(0, 60);
  const chosen = ids.slice(block * statementsPerBlock, (block + 1) * statementsPerBlock);
  const startedMs = performance.now();
  for (const id of chosen) await client.query({ name, text: pair[side], values: valuesOf(pair, id, block) });
  return ((performance.now() - startedMs) * 1_000) / chosen.length;
}

function valuesOf({ takes }: QueryPair, id: string, block: number): string[] {
  if (takes === 'nothing') return [];
  return takes === 'id' ? [id] : [id, `Grace ${block}`, `Hopper ${block}`];
}
