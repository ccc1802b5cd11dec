import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { roles } from '../embedded/settings.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { createLog } from '../telemetry/log.ts';
import type { Endpoint } from './endpoint.ts';
import { makeMigration, migrateDown, migrateUp, migrationStatus, type MigrationTarget } from './migrations.ts';
import { withClient } from './session.ts';

const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };

const database = useDatabase();
let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'messenger-migrations-'));
  await cp(migrationsDir, dir, { recursive: true }); // The template has these already.
});
after(async () => rm(dir, { recursive: true }));

async function write(name: string, up: string, down: string): Promise<void> {
  await writeFile(join(dir, `${name}.sql`), `-- Up Migration\n${up}\n-- Down Migration\n${down}\n`);
}

function target(): MigrationTarget {
  const log = createLog({ level: 'silent', name: 'test', pretty: false });
  return { endpoint: database().endpoints.write, dir, connectTimeoutMs: 5_000, log };
}

test('servers that start together apply each migration once', async () => {
  await write('0902_slow', 'create table slow (id int); select pg_sleep(0.3);', 'drop table slow;');
  const applied = await Promise.all(Array.from({ length: 5 }, async () => migrateUp(target())));
  assert.deepEqual(applied.flat(), ['0902_slow']);
});

test('applied and pending migrations are listed in order', async () => {
  await write('0903_next', 'create table next (id int);', 'drop table next;');
  const shipped = (await readdir(migrationsDir))
    .toSorted()
    .map((file) => ({ name: basename(file, '.sql'), applied: true }));
  assert.deepEqual(await migrationStatus(target()), [
    ...shipped,
    { name: '0902_slow', applied: true },
    { name: '0903_next', applied: false },
  ]);
});

test('down reverts the newest, and up applies it again', async () => {
  await migrateUp(target());
  assert.deepEqual(await migrateDown(target(), 2), ['0903_next', '0902_slow']);
  assert.deepEqual(await migrateUp(target()), ['0902_slow', '0903_next']);
});

test('a failed migration is rolled back with those before it', async () => {
  await write('0904_good', 'create table good (id int);', 'drop table good;');
  await write('0905_bad', 'create table bad (id int); select 1 / 0;', 'drop table bad;');
  await assert.rejects(migrateUp(target()), /division by zero/u);
  const left = await database().sql("select to_regclass('good') as good, to_regclass('bad') as bad");
  assert.deepEqual(left, [{ good: null, bad: null }]);
  await rm(join(dir, '0905_bad.sql'));
  assert.deepEqual(await migrateUp(target()), ['0904_good']);
});

test('make uses the next number and a valid file name', async () => {
  const path = await makeMigration(dir, '  Add: Avatars & more ');
  assert.equal(basename(path), '0905_add_avatars_more.sql');
  assert.match(await readFile(path, 'utf8'), /-- Up Migration\n[\s\S]*-- Down Migration\n/u);
  await assert.rejects(makeMigration(dir, ' ?! '), /letters or digits/u);
  await rm(path);
});

test('a database newer than the code is refused', async () => {
  await rm(join(dir, '0904_good.sql'));
  for (const attempt of [migrateUp, migrationStatus, async (on: MigrationTarget) => migrateDown(on, 1)]) {
    await assert.rejects(attempt(target()), /does not know: 0904_good.*start that one, or restore a backup/u);
  }
});

suite('a database with tables of Messenger elsewhere, or of another program', () => {
  const ours = readdirSync(migrationsDir).length;
  const fresh = `fresh_${randomBytes(6).toString('hex')}`;
  const endpoint = (): Endpoint => ({ ...database().endpoints.write, database: fresh });
  const superuser = async (sql: string, name = fresh): Promise<unknown[]> =>
    withClient(
      { ...endpoint(), user: roles.superuser, database: name },
      session,
      async (client) => (await client.query<object>(sql)).rows,
    );
  const up = async (): Promise<string[]> => migrateUp({ ...target(), endpoint: endpoint(), dir: migrationsDir });
  beforeEach(async () =>
    superuser(`create database ${fresh} template template0 owner ${roles.application}`, 'postgres'),
  );
  afterEach(async () => superuser(`drop database ${fresh} with (force)`, 'postgres'));

  test('tables moved to another schema are not created again', async () => {
    await up();
    await superuser('create schema app; alter table users set schema app; alter table migrations set schema app');
    await superuser(`grant usage on schema app to ${roles.application}`);
    const refusal = /^The tables of Messenger are in the schema "app".*`messenger doctor`/u;
    await assert.rejects(up(), { name: 'OperatorError', message: refusal });
    assert.deepEqual(await superuser("select to_regclass('public.users') as users"), [{ users: null }]);
  });

  test('tables of another program in its own schema are accepted', async () => {
    await superuser('create schema app; create table app.users (id int)');
    await superuser('create table app.migrations (id serial, name text, run_on timestamptz)');
    await superuser("insert into app.migrations (name, run_on) values ('001_other', now())");
    await superuser(
      `grant usage on schema app to ${roles.application}; grant select on app.migrations to ${roles.application}`,
    );
    assert.equal((await up()).length, ours);
  });

  test("tables of another program in Messenger's schema are not touched", async () => {
    for (const table of ['migrations (id int, migration text, batch int)', 'users (id int)']) {
      await superuser(`create table public.${table}`);
      const refusal = /^The database is used by another program: .*(?:DB_WRITE_NAME, DB_READ_NAME)/u;
      await assert.rejects(up(), { name: 'OperatorError', message: refusal });
      await superuser(`drop table public.${table.split(' ')[0]}`);
    }
    assert.equal((await up()).length, ours);
  });

  test('a role that may not create tables gets the statement that grants it', async () => {
    await superuser(`alter database ${fresh} owner to ${roles.superuser}`, 'postgres');
    const refusal = /grant usage, create on schema public to messenger_app\./u;
    await assert.rejects(up(), { name: 'OperatorError', message: refusal });
    await superuser('grant usage, create on schema public to messenger_app');
    assert.equal((await up()).length, ours);
  });
});
