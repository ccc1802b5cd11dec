import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

import { roles } from '../embedded/settings.ts';
import { eventually } from '../embedded/test-pair.ts';
import { readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

/** Settings that need a restart and do not affect the other tests here. */
const patient = usePatient({
  max_connections: '30',
  superuser_reserved_connections: '0',
  wal_level: 'logical',
  work_mem: '4MB',
});

const asSuperuser: Environment = { DB_WRITE_USER: roles.superuser };

test('settings that make our statements slow or read damaged pages are reported with their source', async () => {
  const { lineOf, repair, run, sees } = patient();
  for (const [name, value, found, status] of [
    ['zero_damaged_pages', 'on', /^zero_damaged_pages is on$/u, 'fail'],
    ['default_transaction_read_only', 'on', /^default_transaction_read_only is on$/u, 'fail'],
    ['session_replication_role', 'replica', /^session_replication_role is replica$/u, 'fail'],
    ['enable_indexscan', 'off', /^enable_indexscan is off$/u, 'warn'],
    ['temp_file_limit', '0', /^temp_file_limit is 0$/u, 'warn'],
  ] as const) {
    repair(async () => run('write', `alter role messenger_app reset ${name}`));
    await run('write', `alter role messenger_app set ${name} = '${value}'`);
    await sees('session settings', status, found, 'primary');
    assert.match(
      (await lineOf('session settings', 'primary')).advice ?? '',
      new RegExp(`alter role messenger_app reset ${name}`, 'u'),
    );
    await run('write', `alter role messenger_app reset ${name}`);
  }
});

test('a log with statement parameters is reported, and one without them is ok', async () => {
  const { sees, set } = patient();
  await set('write', 'log_statement', 'all');
  await sees(
    'logged parameters',
    'warn',
    /^log_statement is all: a statement is logged, with its parameters$/u,
    'primary',
  );
  await set('write', 'log_parameter_max_length', '0');
  await sees('logged parameters', 'ok', /./u, 'primary');
  await set('write', 'log_parameter_max_length_on_error', '100B');
  await sees('logged parameters', 'warn', /^a statement that fails is logged, with its parameters$/u, 'primary');
});

test('track_activities = off is reported, because other checks need it', async () => {
  const { set, sees } = patient();
  await set('write', 'track_activities', 'off');
  await sees('visibility', 'warn', /^track_activities is off$/u, 'primary');
});

test('a server without reserved connections for superusers is reported', async () => {
  await patient().sees('connections in use', 'warn', /^none is kept for superusers$/u, 'primary');
});

test('a logical slot is not a standby', async () => {
  const { lineOf, repair, run } = patient();
  repair(async () => run('write', "select pg_drop_replication_slot('subscriber')"));
  await run('write', "select pg_create_logical_replication_slot('subscriber', 'pgoutput')");
  assert.match((await lineOf('replication slots')).advice ?? '', /^Start its subscriber, or drop it/u);
});

test('a damaged page is a failure', async () => {
  const { ask, dataDir, repair, run, sees } = patient();
  repair(async () => run('write', 'select pg_stat_reset()'));
  repair(async () => run('write', 'drop table spoiled'));
  repair(async () => run('write', 'drop extension pg_buffercache'));
  await run('write', 'create extension pg_buffercache');
  await run('write', 'create table spoiled as select n from generate_series(1, 1000) n');
  await run('write', 'checkpoint');
  await run('write', "select pg_buffercache_evict_relation('spoiled')");
  const [path] = await ask('write', "select pg_relation_filepath('spoiled')");
  const file = await open(join(dataDir, 'primary', String(path)), 'r+');
  await file.write(Buffer.from('spoiled'), 0, 7, 4_000);
  await file.close();
  await assert.rejects(run('write', 'select * from spoiled'), /invalid page/u);
  await sees('checksums', 'fail', /^[1-9]\d* pages were damaged when they were read$/u, 'primary');
});

test('a database that is not UTF8 is a failure', async () => {
  const { lineOf, repair, run, sees } = patient();
  repair(async () => run('write', 'drop database ascii with (force)'));
  await run('write', "create database ascii encoding 'SQL_ASCII' locale_provider libc locale 'C' template template0");
  const env = { DB_WRITE_NAME: 'ascii', DB_READ_NAME: 'ascii' };
  await eventually(async () => (await lineOf('reachable', 'standby', env)).status === 'ok');
  await sees('encoding', 'fail', /^SQL_ASCII$/u, 'primary', env);
});

test('a changed collation version is reported', async () => {
  const { repair, run, sees } = patient();
  repair(async () => run('write', 'alter database messenger refresh collation version'));
  await run('write', "update pg_database set datcollversion = '0' where datname = current_database()");
  await sees('collation', 'warn', /^indexes were made with version 0, the server has 1$/u, 'primary');
});

test('a role with excess rights or an expiring password is reported', async () => {
  const { repair, run, sees } = patient();
  await sees('role', 'ok', /^messenger_app$/u, 'primary');
  await sees('role', 'warn', /^messenger is a superuser$/u, 'primary', asSuperuser);
  repair(async () => run('write', 'drop role mighty'));
  await run('write', 'create role mighty login createrole');
  const env = { DB_WRITE_USER: 'mighty' };
  await sees('role', 'warn', /^mighty has more rights than it needs$/u, 'primary', env);
  await run('write', "alter role mighty nocreaterole valid until 'tomorrow'");
  await sees('role', 'warn', /^the password of mighty expires in 0 days$/u, 'primary', env);
  await run('write', "alter role mighty valid until '2020-01-01'");
  await sees('role', 'fail', /^the password of mighty has expired$/u, 'primary', env);
  await run('write', "alter role mighty valid until 'infinity'; alter role mighty set password_encryption = 'md5'");
  await sees('role', 'warn', /^new passwords are stored as md5$/u, 'primary', env);
});

test('an index whose build failed is reported, also while another one is under construction, which is not', async () => {
  const { ask, repair, run, sees } = patient();
  repair(async () => run('write', 'drop table doubled; drop index if exists slow_idx'));
  await run('write', 'create table doubled (id int primary key, n int)');
  await run('write', 'insert into doubled values (1, 1), (2, 1)');
  await assert.rejects(run('write', 'create unique index concurrently doubled_n on doubled (n)'));
  await sees('invalid indexes', 'fail', /^doubled_n$/u, 'primary');
  await patient().hold('write', "begin; insert into users (first_name, last_name) values ('Ada', 'Lovelace')");
  const building = ask('write', 'create index concurrently slow_idx on users (updated_at)');
  building.catch(() => undefined);
  await eventually(
    async () => (await ask('write', "select 1 from pg_index where indexrelid = to_regclass('slow_idx')")).length === 1,
  );
  await sees('invalid indexes', 'fail', /^doubled_n$/u, 'primary');
  await run('write', 'select pg_cancel_backend(pid) from pg_stat_progress_create_index');
  await building.catch(() => undefined);
  await sees('invalid indexes', 'fail', /^doubled_n, slow_idx$/u, 'primary');
});

test('a refusal that does not depend on password or pg_hba.conf is reported with its remedy', async () => {
  const { environment, lineOf, repair, run } = patient();
  repair(async () => run('write', 'drop database closed with (force)'));
  repair(async () => run('write', 'drop role nologin_role, outside, single'));
  await run('write', 'create database closed');
  await run(
    'write',
    'create role nologin_role; create role outside login; create role single login connection limit 0',
  );
  await run('write', 'revoke connect on database closed from public');
  const notPostgres = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  );
  await once(notPostgres, 'listening');
  repair(async () => once(notPostgres.close(), 'close'));
  const address = notPostgres.address();
  assert(typeof address === 'object' && address !== null);
  const cases: readonly (readonly [Environment, RegExp])[] = [
    [{ DB_WRITE_USER: 'nologin_role' }, /alter role nologin_role login/u],
    [{ DB_WRITE_USER: 'outside', DB_WRITE_NAME: 'closed' }, /grant connect on database closed to outside/u],
    [{ DB_WRITE_USER: 'single' }, /alter role single connection limit -1/u],
    [{ DB_WRITE_HOST: '127.0.0.1', DB_WRITE_PORT: String(address.port) }, /no PostgreSQL listens there/u],
  ];
  for (const [env, advice] of cases) assert.match((await lineOf('reachable', 'primary', env)).advice ?? '', advice);
  await run('write', 'alter database closed allow_connections false');
  const env = { DB_WRITE_NAME: 'closed' };
  assert.match(
    (await lineOf('reachable', 'primary', env)).advice ?? '',
    /alter database closed allow_connections true/u,
  );
  await run('write', 'alter database closed allow_connections true');
  repair(async () => run('write', 'grant execute on function pg_control_system to public'));
  await run('write', 'revoke execute on function pg_control_system from public');
  const findings = await readReport({ ...environment(), DB_WRITE_USER: 'outside' });
  assert.match(
    worstLine(findings, 'reachable', 'primary').advice ?? '',
    /grant execute on function pg_control_system to outside/u,
  );
});

test('a primary that the feed cannot follow is reported, and one that no feed follows', async () => {
  const { lineOf, run, sees } = patient();
  const env = { REALTIME: 'auto' };
  await sees('realtime', 'ok', /^REALTIME=off$/u);
  await sees('realtime', 'warn', /^the role messenger_app may not replicate$/u, 'primary', env);
  await run('write', 'alter role messenger_app replication');
  await sees('realtime', 'warn', /^no feed follows the log$/u, 'primary', env);
  await run('write', 'drop publication messenger');
  await sees('realtime', 'fail', /^there is no publication messenger$/u, 'primary', { REALTIME: 'on' });
  const { advice = '' } = await lineOf('realtime', 'primary', env);
  await run('write', advice.replace(/^.*?: /u, '').replace(/\.$/u, ''));
  await sees('realtime', 'warn', /^no feed follows the log$/u, 'primary', env);
});
