/** The API with roles whose sessions start with settings of an operator or a tool. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import type { User } from '@messenger/protocol/users';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import type { Caller } from '../db/caller.ts';
import type { EndpointPair } from '../db/endpoint.ts';
import { withClient } from '../db/session.ts';
import { AppError } from '../lib/app-error.ts';
import type { Users } from './users.ts';

const database = useDatabase();
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };

/** Settings by their effect on sessions that inherit them. */
const settings: Readonly<Record<string, readonly string[]>> = {
  'another search path': ["search_path = ''"],
  'a search path with other tables of these names': ['search_path = decoy, pg_catalog, public'],
  'other forms of dates, numbers, texts and nulls': [
    "timezone = 'Asia/Kathmandu'",
    "datestyle = 'SQL, DMY'",
    'intervalstyle = sql_standard',
    'extra_float_digits = -15',
    'bytea_output = escape',
    'client_encoding = LATIN1',
    'standard_conforming_strings = off',
    'quote_all_identifiers = on',
    'array_nulls = off',
    'transform_null_equals = on',
  ],
  'serializable transactions': ['default_transaction_isolation = serializable', 'default_transaction_deferrable = on'],
  'repeatable reads': ["default_transaction_isolation = 'repeatable read'"],
  'short deadlines': [
    'statement_timeout = 1',
    'lock_timeout = 1',
    'transaction_timeout = 1',
    'idle_in_transaction_session_timeout = 1',
    'idle_session_timeout = 1',
  ],
  'little memory, and a planner without its cheap plans': [
    'enable_seqscan = off',
    'enable_indexscan = off',
    'enable_bitmapscan = off',
    'enable_sort = off',
    'enable_nestloop = off',
    'debug_parallel_query = on',
    'plan_cache_mode = force_generic_plan',
    'jit_above_cost = 0',
    "work_mem = '64kB'",
    'temp_file_limit = 0',
  ],
  'another word on replication, visibility and notices': [
    'row_security = off',
    'session_replication_role = replica',
    'client_min_messages = debug5',
  ],
};

let plain: readonly unknown[];

before(async () => {
  await database.created;
  await database().sql('create schema decoy');
  await database().sql('create table decoy.users (like public.users)');
  await database().sql('grant usage on schema decoy to public');
  await database().sql('grant all on all tables in schema decoy, public to public');
  plain = await answersOf(database().endpoints);
});

/** One user's names, or the code of the refusal, without values that differ between runs. */
async function outcomeOf(work: Promise<User | void>): Promise<string> {
  try {
    const user = await work;
    return user === undefined ? 'done' : `${user.first_name} ${user.last_name}`;
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

async function answersOf(endpoints: EndpointPair): Promise<readonly unknown[]> {
  await database().sql('truncate public.users');
  const app = await createTestApp(endpoints);
  try {
    // Other test files pause its replay, too.
    await waitFor('the standby to be fit', () => app.databases.standbys.isAnyFit);
    return await useAll(app);
  } finally {
    await app.close();
  }
}

/** The answers of every call, alone and in batches, with and without the standby. */
async function useAll(app: App): Promise<readonly unknown[]> {
  const users = usersOf(app);
  const caller = someone();
  const ada = await users.create({ first_name: 'Zoë \\ \'"{}', last_name: 'NULL' }, caller);
  const made = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => createAlike(users, name, caller)));
  const ids = made.map(({ id }) => id);
  // Some users have the same creation time.
  await database().sql("update public.users set created_at = '2026-01-02 03:04:05.06+00' where last_name = 'alike'");
  await database().replicated();
  const asked = [ada.id, ...ids].map(async (id) => outcomeOf(users.get(id, caller)));
  return [
    await Promise.all(asked),
    await outcomeOf(users.rename(ada.id, { first_name: 'Ada', last_name: 'Lovelace' }, caller)),
    await Promise.all(ids.map(async (id) => outcomeOf(users.rename(id, { first_name: 'renamed' }, caller)))),
    await renameHeld(users, ada.id, caller),
    await timesOf(users, ada, made, caller),
    await pagesOf(users, caller),
    await Promise.all([ada.id, ada.id, ...ids.slice(1)].map(async (id) => outcomeOf(users.delete(id, caller)))),
    await outcomeOf(users.get(ada.id, { ...caller, token: caller.seen })),
    await database().sql('select first_name, last_name from public.users'),
    await longPagesOf(users, caller),
    app.databases.reads.outcomes.standby + app.databases.reads.outcomes.waited > 0,
  ];
}

async function createAlike(users: Users, name: string, caller: Caller): Promise<User> {
  return await users.create({ first_name: name, last_name: 'alike' }, caller);
}

/** A call that waits for a row which another transaction has locked and changes. */
async function renameHeld(users: Users, id: string, caller: Caller): Promise<string> {
  return await withClient(database().direct.write, session, async (client) => {
    await client.query('begin');
    await client.query("update public.users set first_name = 'Grace' where id = $1", [id]);
    let isOver = false;
    const renaming = outcomeOf(users.rename(id, { last_name: 'Hopper' }, caller)).finally(() => (isOver = true));
    await waitFor('the call to wait for the row', async () => {
      const sql = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return isOver || (await client.query(sql)).rowCount !== 0;
    });
    await client.query('commit');
    return await renaming;
  });
}

/** Whether times are RFC 3339 with microseconds, and correct. */
async function timesOf(users: Users, ada: User, made: readonly User[], caller: Caller): Promise<readonly unknown[]> {
  const { created_at: createdAt, updated_at: updatedAt } = await users.get(ada.id, caller);
  const first = made[0] && (await users.get(made[0].id, caller));
  return [createdAt === ada.created_at, Date.parse(updatedAt) > Date.parse(createdAt) - 1, first?.created_at];
}

/** All names in the order of the list: page by page, and from pages that share a statement. */
async function pagesOf(users: Users, caller: Caller): Promise<readonly unknown[]> {
  const found: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await users.list({ limit: 2, ...(after === undefined ? {} : { after }) }, caller);
    found.push(...page.users.map(({ id }) => id));
    if ((after = page.next) === undefined) break;
  }
  const offsets = await Promise.all([0, 2, 4].map(async (offset) => users.list({ limit: 2, offset }, caller)));
  const together = offsets.flatMap((page) => page.users.map(({ id }) => id));
  return [found.length, new Set(found).size, together.every((id, n) => id === found[n])];
}

/** Exceeds a small work_mem: names of 30 kB per page. */
async function longPagesOf(users: Users, caller: Caller): Promise<readonly unknown[]> {
  const name = "repeat('x', 100)";
  await database().sql(
    `insert into public.users (first_name, last_name) select ${name}, ${name} from generate_series(1, 1000)`,
  );
  await database().replicated();
  const pages = [0, 1, 2].map(async (offset) => users.list({ limit: 1_000, offset }, caller));
  const outcomes = await Promise.allSettled(pages);
  return outcomes.map((one) => (one.status === 'fulfilled' ? one.value.users.length : String(one.reason)));
}

/** Runs `use` as a new role with these settings, on both servers. */
async function asRoleWith(values: readonly string[], use: (endpoints: EndpointPair) => Promise<void>): Promise<void> {
  const { write, read } = database().endpoints;
  const role = `role_${write.database}`;
  await database().sql(`create role ${role} login in role pg_monitor`);
  for (const value of values) await database().sql(`alter role ${role} set ${value}`);
  await database().replicated();
  try {
    await use({ write: { ...write, user: role }, read: { ...read, user: role } });
  } finally {
    await database().sql(`drop role ${role}`);
  }
}

async function assertSameAnswers(endpoints: EndpointPair): Promise<void> {
  assert.deepEqual(await answersOf(endpoints), plain);
}

for (const [name, values] of Object.entries(settings))
  test(`every answer is the same for a role with ${name}`, async () => asRoleWith(values, assertSameAnswers));

test('a write is on disk when it is acknowledged, also for a role with synchronous_commit = off', async () => {
  await asRoleWith(['synchronous_commit = off'], async ({ write }) => {
    const { rows } = await withClient({ ...write, synchronousCommit: 'on' }, session, async (client) =>
      client.query('show synchronous_commit'),
    );
    assert.deepEqual(rows, [{ synchronous_commit: 'on' }]);
  });
});
