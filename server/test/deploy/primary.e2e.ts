/**
 * A new primary as the image makes it, from deploy/compose.yaml, deploy/postgres and deploy/tuned.yaml, on a real
 * PostgreSQL. The test replaces only the paths of secrets and sockets, the port, and the system user during
 * initialisation.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { Client } from 'pg';

import type { Endpoint } from '../../src/db/endpoint.ts';
import { migrateUp } from '../../src/db/migrations.ts';
import { withClient } from '../../src/db/session.ts';
import { findBinaries, type Binaries } from '../../src/embedded/binaries.ts';
import { spawnOptions } from '../../src/embedded/spawn-options.ts';
import { makeTestFolder } from '../../src/embedded/test-folder.ts';
import { migrationsDir } from '../../src/prepare-databases.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createTestApp } from '../app.ts';
import { waitFor } from '../wait-for.ts';
import { read, readCompose, root } from './files.ts';
import { findPort } from '../../src/process/port.ts';

const password = 'it\'s \\ a "secret"';
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 10_000 };
const { environment = {} } = readCompose('deploy/compose.yaml').services['primary'] ?? {};
const ownDatabase = String(environment['POSTGRES_DB']);
const command = readCompose('deploy/tuned.yaml').services['primary']?.command?.slice(1) ?? [];

let folder: string;
let binaries: Binaries;
let port: number;
let server: ChildProcess | undefined;

before(async () => {
  folder = await makeTestFolder();
  [binaries, port] = await Promise.all([findBinaries(undefined), findPort('127.0.0.1', 0)]);
  await mkdir(join(folder, 'data'), { mode: 0o700 });
  await cp(join(root, 'deploy/postgres/pg_hba.conf'), join(folder, 'pg_hba.conf'));
  for (const name of ['postgres_password', 'db_password', 'replication_password'])
    await writeFile(join(folder, name), `${password}\n`);
  await initialise();
});
after(async () => {
  await stop();
  await rm(folder, { recursive: true, force: true });
});

/** The image's steps for an empty volume: a cluster, a local server, the scripts, a stop. */
async function initialise(): Promise<void> {
  const flags = ['--username=postgres', `--pwfile=${join(folder, 'postgres_password')}`, ...initdbArguments()];
  const initdb = spawn(binaries.initdb, ['-D', join(folder, 'data'), ...flags], {
    ...spawnOptions,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = await Promise.all([text(initdb.stderr), once(initdb, 'close')]);
  assert.equal(initdb.exitCode, 0, said);
  await start('');
  const own = { host: join(folder, 'data'), port, user: 'postgres', database: 'postgres' };
  await query(own, `create database ${ownDatabase}`);
  for (const name of ['10-roles.sql', '20-pg-hba.sql']) {
    const sql = read(`deploy/postgres/init/${name}`)
      .replaceAll('/run/secrets/', `${folder}/`)
      .replaceAll('/etc/postgresql/', `${folder}/`);
    await query({ ...own, database: ownDatabase }, sql);
  }
  await stop();
}

/** As in compose.yaml. In the container the scripts run as the system's `postgres`, unlike this test. */
function initdbArguments(): string[] {
  const flags = String(environment['POSTGRES_INITDB_ARGS']).split(' ');
  assert.ok(flags.includes('--auth-local=peer'), flags.join(' '));
  return flags.map((flag) => (flag === '--auth-local=peer' ? '--auth-local=trust' : flag));
}

async function start(addresses: string): Promise<void> {
  const place = ['-k', join(folder, 'data'), '-p', String(port), '-h', addresses];
  server = spawn(binaries.postgres, ['-D', join(folder, 'data'), ...command, ...place], {
    ...spawnOptions,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  server.stderr?.setEncoding('utf8').on('data', (part: string) => (said += part));
  await waitFor('the primary to start', () => {
    assert.equal(server?.exitCode, null, said);
    return said.includes('ready to accept connections');
  });
}

async function stop(): Promise<void> {
  if (server === undefined || server.exitCode !== null) return;
  const ended = once(server, 'close');
  server.kill('SIGINT');
  await ended;
}

async function query(endpoint: Endpoint, sql: string): Promise<unknown[]> {
  return await withClient(endpoint, session, async (client) => (await client.query<object>(sql)).rows);
}

/** As other containers connect: over TCP, with a password. */
const over = (name: string, database: string, secret = password): Endpoint => ({
  host: '127.0.0.1',
  port,
  user: name,
  password: secret,
  database,
});

test('Messenger migrates, writes and reads there as an ordinary role with monitoring rights', async () => {
  await start('127.0.0.1');
  const endpoint = over('messenger', 'messenger');
  const log = createLog({ level: 'silent', name: 'test', pretty: false });
  await migrateUp({ endpoint, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  const app = await createTestApp({ write: endpoint, read: endpoint });
  const payload = { first_name: 'Ada', last_name: 'Lovelace' };
  const created = await app.http.inject({ method: 'POST', url: '/api/v1/users', payload });
  assert.equal(created.statusCode, 201, created.body);
  const headers = { 'consistency-token': String(created.headers['consistency-token']) };
  assert.equal((await app.http.inject({ url: String(created.headers.location), headers })).statusCode, 200);
  await app.http.close();
  await app.close();
  const [facts] = await query(
    endpoint,
    `select rolsuper, rolcreaterole, pg_has_role('pg_monitor', 'member') as monitors,
       (select wal_status from pg_replication_slots where slot_name = 'messenger_standby') as slot,
       current_setting('shared_buffers') as buffers
     from pg_roles where rolname = current_user`,
  );
  const wanted = { rolsuper: false, rolcreaterole: false, monitors: true, slot: 'reserved', buffers: '256MB' };
  assert.deepEqual(facts, wanted);
});

test('a standby may replicate, with its own password, and may not connect to a database', async () => {
  const standby = new Client(Object.assign(over('replicator', 'messenger'), { replication: 'true' }));
  await standby.connect();
  const { rows } = await standby.query<{ timeline: string }>('IDENTIFY_SYSTEM');
  await standby.end();
  assert.equal(rows.length, 1);
  await assert.rejects(query(over('replicator', 'messenger'), 'select 1'), { code: '28000' });
});

test('all other network access is refused: superusers, other databases, wrong passwords', async () => {
  await assert.rejects(query(over('postgres', 'messenger'), 'select 1'), { code: '28000' });
  await assert.rejects(query(over('messenger', 'postgres'), 'select 1'), { code: '28000' });
  await assert.rejects(query(over('messenger', 'messenger', 'guess'), 'select 1'), { code: '28P01' });
});

test('text sorts as in the embedded databases, and page checksums are on', async () => {
  const [facts] = await query(
    over('messenger', 'messenger'),
    `select datlocprovider as provider, datlocale as locale, pg_encoding_to_char(encoding) as encoding,
       current_setting('data_checksums') as checksums from pg_database where datname = current_database()`,
  );
  assert.deepEqual(facts, { provider: 'b', locale: 'C.UTF-8', encoding: 'UTF8', checksums: 'on' });
});

test('settings of tuned.yaml are on the command line, which overrides `alter system`, as the runbook says', async () => {
  const [facts] = await query(
    over('messenger', 'messenger'),
    "select setting, source from pg_settings where name = 'max_slot_wal_keep_size'",
  );
  assert.deepEqual(facts, { setting: '1024', source: 'command line' });
  const runbook = /\*\*WalRetention:\*\*(?<text>.*)/u.exec(read('docs/operations.md'))?.groups?.['text'] ?? '';
  for (const way of ['alter system set max_slot_wal_keep_size', 'tuned.yaml', 'docker compose up --detach primary'])
    assert.ok(runbook.includes(way), way);
});
