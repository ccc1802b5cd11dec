/**
 * Sessions through a pooler: deadlines, cancellation, time zone, and the lock of the migrations. Imported by a test
 * file.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { migrateDown, migrateUp } from '../src/db/migrations.ts';
import { sessionSettings } from '../src/db/session.ts';
import { statement } from '../src/db/statement.ts';
import { migrationsDir } from '../src/prepare-databases.ts';
import { createLog } from '../src/telemetry/log.ts';
import { useDatabase } from './database.ts';
import { countRunning, sleep, usePools } from './pools.ts';
import { waitFor } from './wait-for.ts';

const database = useDatabase();
const open = usePools(database);
const setting = statement<{ value: string }, [name: string]>('test.setting', 'select current_setting($1) as value');

test('sessions have our settings, although PgBouncer drops startup parameters', async () => {
  const { database: name } = database().direct.write;
  const others = [
    "timezone = 'Asia/Tokyo'",
    'search_path = pg_catalog',
    'lock_timeout = 1',
    'synchronous_commit = off',
  ];
  for (const other of others) await database().sql(`alter database ${name} set ${other}`);
  const pool = open('write', { prepare: false });
  for (const [wanted, value] of Object.entries(sessionSettings({ synchronousCommit: 'on' })))
    assert.deepEqual(await pool.query(setting, [wanted]), [{ value }], wanted);
  for (const other of others) await database().sql(`alter database ${name} reset ${other.split(' ')[0]}`);
});

for (const [role, deadline] of [
  ['write', '5s'],
  ['read', '3s'],
] as const) {
  test(`the ${role} server has the deadlines itself, although PgBouncer drops startup parameters`, async () => {
    const pool = open(role, { prepare: false });
    assert.deepEqual(await pool.query(setting, ['statement_timeout']), [{ value: deadline }]);
    assert.deepEqual(await pool.query(setting, ['idle_in_transaction_session_timeout']), [{ value: '30s' }]);
  });
}

test('a read whose caller has left is cancelled through PgBouncer, and no other statement is', async () => {
  const pool = open('read', { prepare: false });
  const gone = new AbortController();
  const stays = pool.query(sleep, [0.5]);
  const leaves = assert.rejects(pool.query(sleep, [30], gone.signal), /gone/u);
  await waitFor('both to run', async () => (await countRunning(database, 'select pg_sleep', 'read')) === 2);
  gone.abort(new Error('gone'));
  await Promise.all([leaves, stays]);
  await waitFor('the read to end', async () => (await countRunning(database, 'select pg_sleep', 'read')) === 0, 8_000);
});

test('migrations refuse a pooler, where their lock cannot be held, with the remedy', async () => {
  const log = createLog({ level: 'silent', name: 'test', pretty: false });
  const target = (endpoint: typeof pooled) => ({ endpoint, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  const pooled = database().endpoints.write;
  assert.deepEqual(await migrateUp(target(pooled)), [], 'a start with nothing pending needs no lock');
  const reason = /goes through a pooler.*name the primary itself.*`messenger migrate up`/u;
  await assert.rejects(migrateDown(target(pooled), 1), reason);
  await migrateDown(target(database().direct.write), 1);
  await assert.rejects(migrateUp(target(pooled)), reason);
  assert.equal((await migrateUp(target(database().direct.write))).length, 1);
});
