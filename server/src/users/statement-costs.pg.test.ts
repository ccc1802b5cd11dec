/** Figures: docs/decisions/0041-batches-by-need.md and 0046-cost-of-positions.md. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import { primaryPosition, replayPosition } from '../db/position.ts';
import { withClient } from '../db/session.ts';

const database = useDatabase();
const app = useApp(database);
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };

test('a rename writes to no index', async () => {
  const users = usersOf(app());
  const { id } = await users.create({ first_name: 'Ada', last_name: 'Lovelace' }, someone());
  await users.rename(id, { first_name: 'Grace', last_name: 'Hopper' }, someone());
  // Sessions report their counts when they are idle.
  await waitFor('the rename to be counted', async () => {
    const [row] = await database().sql<{ updated: number; hot: number }>(
      `select n_tup_upd::int as updated, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'users'`,
    );
    assert.equal(row?.hot, row?.updated);
    return row?.updated === 1;
  });
});

test('a prepared statement is planned once', async () => {
  await withClient(database().endpoints.read, session, async (client) => {
    const text = 'select id from users order by created_at desc, id desc limit $1';
    for (let times = 0; times < 10; times += 1) await client.query({ name: 'page', text, values: [20] });
    const { rows } = await client.query(
      "select generic_plans::int as once, custom_plans::int as anew from pg_prepared_statements where name = 'page'",
    );
    assert.deepEqual(rows, [{ once: 10, anew: 0 }]);
  });
});

test('a position is computed without a subquery', async () => {
  const { read, write } = database().endpoints;
  for (const [endpoint, { text }] of [
    [write, primaryPosition],
    [read, replayPosition],
  ] as const)
    await withClient(endpoint, session, async (client) => {
      const { rows } = await client.query<{ readonly 'QUERY PLAN': string }>(`explain (costs off) ${text}`);
      assert.deepEqual(rows, [{ 'QUERY PLAN': 'Result' }]);
    });
});

/** The generic plan of the executed statement that contains this text. */
async function planOf(part: string): Promise<string> {
  const [statement] = await database().sql<{ query: string }>(
    `select query from pg_stat_statements join pg_database on dbid = pg_database.oid
      where datname = current_database() and query like '%' || $1 || '%' and query not like '%pg_stat_statements%'`,
    [part],
  );
  // Constants are parameters there; after `interval`, only a literal is valid SQL.
  const text = statement?.query.replaceAll(/interval (?<value>\$\d+)/gu, '$<value>::interval');
  const rows = await database().sql<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('batches of conditional writes choose one call per user without relying on the order of rows', async () => {
  await database().sql('create extension if not exists pg_stat_statements');
  const users = usersOf(app());
  const names = { first_name: 'Ada', last_name: 'Lovelace' };
  const made = await Promise.all(Array.from({ length: 5 }, async () => users.create(names, someone())));
  await Promise.all(made.map(async ({ id, updated_at: at }) => users.rename(id, names, someone(), [at])));
  assert.match(await planOf('chosen as'), /-> +Unique /u);
});
