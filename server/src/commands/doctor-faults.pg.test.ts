import assert from 'node:assert/strict';
import { appendFile, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

import { roles } from '../embedded/settings.ts';
import { eventually } from '../embedded/test-pair.ts';
import type { DoctorLimits } from '../doctor/limits.ts';
import { readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

/** Settings that need a restart and do not affect the other tests here. */
const patient = usePatient({
  max_connections: '30',
  max_replication_slots: '2',
  superuser_reserved_connections: '0',
  wal_level: 'logical',
  work_mem: '4MB',
});

const asSuperuser: Environment = { DB_WRITE_USER: roles.superuser };
const always: DoctorLimits['heldTransactions'] = { warn: 0, fail: Number.POSITIVE_INFINITY };

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
    'values in the log',
    'warn',
    /^log_statement is all: a statement is logged, with its parameters$/u,
    'primary',
  );
  await set('write', 'log_parameter_max_length', '0');
  await sees('values in the log', 'ok', /./u, 'primary');
  await set('write', 'log_parameter_max_length_on_error', '100B');
  await sees('values in the log', 'warn', /^a statement that fails is logged, with its parameters$/u, 'primary');
});

test('an error in a configuration file is reported to a superuser with its line, without its text', async () => {
  const { ask, repair, run, sees } = patient();
  for (const [name, line, found] of [
    ['config_file', "\nwork_mem = 'secret'\n", /^postgresql\.conf line \d+ \(work_mem\): /u],
    ['hba_file', '\nlocal all all secret\n', /^pg_hba\.conf line \d+: /u],
  ] as const) {
    const path = String((await ask('write', `show ${name}`))[0]);
    const before = await readFile(path, 'utf8');
    repair(async () => writeFile(path, before).then(async () => run('write', 'select pg_reload_conf()')));
    await appendFile(path, line);
    await sees('configuration files', 'warn', found, 'primary', asSuperuser);
    await writeFile(path, before);
  }
});

test('track_activities = off is reported, because other checks need it', async () => {
  const { set, sees } = patient();
  await set('write', 'track_activities', 'off');
  await sees('what we may see', 'warn', /^track_activities is off$/u, 'primary');
});

test('a server without reserved connections for superusers is reported', async () => {
  await patient().sees('connections in use', 'warn', /^none is kept for superusers$/u, 'primary');
});

test('settings that exceed the memory are reported', async () => {
  const { set, sees } = patient();
  await sees('memory', 'ok', /^up to \d+MB of 1GB: 30 connections, work_mem 4MB$/u, 'primary');
  await set('write', 'work_mem', '32MB');
  await sees('memory', 'warn', /^up to \d+MB of 1GB: 30 connections, work_mem 32MB$/u, 'primary');
});

test('a primary without a free slot is reported; a logical slot is not a standby, and holds rows', async () => {
  const { examineWith, lineOf, repair, run, sees } = patient();
  await sees('room for standbys', 'ok', /^1 of 10 senders, 1 of 2 slots in use$/u);
  repair(async () => run('write', "select pg_drop_replication_slot('subscriber')"));
  await run('write', "select pg_create_logical_replication_slot('subscriber', 'pgoutput')");
  await sees('room for standbys', 'warn', /2 of 2 slots in use$/u);
  assert.match((await lineOf('room for standbys')).advice ?? '', /max_replication_slots = '12', and restart it/u);
  assert.match((await lineOf('replication slots')).advice ?? '', /^Start its subscriber, or drop it/u);
  await run('write', 'select pg_current_xact_id()');
  const held = worstLine(await examineWith({ heldTransactions: always }), 'rows held for others');
  assert.match(held.found, /^the slot subscriber holds those of the last \d+ transactions$/u);
});

test('a read on the standby that holds rows of the primary is reported for the standby', async () => {
  const { examineWith, hold, run } = patient();
  await hold('read', 'begin isolation level repeatable read; select 1 from users');
  await run('write', 'select pg_current_xact_id()');
  const held = async () => worstLine(await examineWith({ heldTransactions: always }), 'rows held for others');
  await eventually(async () => (await held()).status === 'warn');
  assert.match((await held()).found, /^a read on the standby of the slot messenger_standby holds/u);
});

test('temporary files, requested checkpoints and deadlocks are reported with counts', async () => {
  const { ask, examineWith, hold, repair, run } = patient();
  repair(async () => run('write', 'select pg_stat_reset()'));
  repair(async () => run('write', "select pg_stat_reset_shared('checkpointer')"));
  await run(
    'write',
    "set work_mem = '64kB'; select count(*) from (select n from generate_series(1, 200000) n order by -n) sorted",
  );
  await run('write', 'checkpoint');
  const line = async (check: 'temporary files' | 'checkpoints') =>
    worstLine(await examineWith({ tempMegabytes: 1, requestedCheckpoints: 1 }), check, 'primary');
  await eventually(async () => (await line('temporary files')).status === 'warn');
  await eventually(async () => (await line('checkpoints')).status === 'warn');
  assert.match((await line('checkpoints')).found, /^\d+ requested, 0 by time, max_wal_size 1GB$/u);

  repair(async () => run('write', 'drop table one, two'));
  await run('write', 'create table one (n int); create table two (n int)');
  await hold('write', 'begin; lock table one');
  const other = ask('write', "set deadlock_timeout = '10ms'; begin; lock table two; lock table one").catch(
    () => undefined,
  );
  await eventually(
    async () => (await ask('write', "select 1 from pg_stat_activity where wait_event_type = 'Lock'")).length === 1,
  );
  const blocked = worstLine(await examineWith({}), 'waiting for locks', 'primary');
  assert.match(
    blocked.advice ?? '',
    /^Held by held by a test \(pid \d+\) \d+\.\d s: select pg_terminate_backend\(\d+\) ends it\.$/u,
  );
  await run('write', "select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'");
  await other;
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
  await eventually(async () => (await lineOf('answers', 'standby', env)).status === 'ok');
  await sees('encoding', 'fail', /^SQL_ASCII$/u, 'primary', env);
});

test('a changed collation version and an outdated extension are reported', async () => {
  const { lineOf, repair, run, sees } = patient();
  repair(async () => run('write', 'alter database messenger refresh collation version'));
  await run('write', "update pg_database set datcollversion = '0' where datname = current_database()");
  await sees('collation', 'warn', /^indexes were made with version 0, the server has 1$/u, 'primary');
  repair(async () => run('write', 'drop extension pg_stat_statements'));
  await run('write', "create extension pg_stat_statements version '1.10'");
  await sees('extensions', 'warn', /^pg_stat_statements 1\.10 of 1\.\d+$/u, 'primary');
  assert.match((await lineOf('extensions', 'primary')).advice ?? '', /alter extension pg_stat_statements update/u);
});

test('manual changes of our tables are reported, each with the statement that reverts it', async () => {
  const { lineOf, run } = patient();
  const cases = [
    [
      'create function nothing() returns trigger language plpgsql as $$ begin return new; end $$; create trigger extra before insert on users for each row execute function nothing()',
      'drop function nothing() cascade',
      'warn',
      /^the trigger extra on users is not from a migration$/u,
      /drop trigger extra on users/u,
    ],
    [
      'create rule keep as on delete to users do instead nothing',
      'drop rule keep on users',
      'fail',
      /^the rule keep rewrites statements on users$/u,
      /drop rule keep on users/u,
    ],
    [
      'alter table users drop constraint users_first_name_length',
      'alter table users add constraint users_first_name_length check (char_length(first_name) between 1 and 100)',
      'fail',
      /^the constraint users_first_name_length is gone$/u,
      /server\/migrations/u,
    ],
    [
      "alter table users add constraint later check (first_name <> '') not valid",
      'alter table users drop constraint later',
      'warn',
      /^the constraint later of users does not hold for all rows$/u,
      /validate constraint later/u,
    ],
    [
      'create function idle() returns event_trigger language plpgsql as $$ begin end $$; create event trigger watcher on ddl_command_end execute function idle()',
      'drop function idle() cascade',
      'warn',
      /^the event trigger watcher runs at migrations or logins$/u,
      /alter event trigger watcher disable/u,
    ],
    [
      'create table parent (id uuid primary key); alter table users add column of uuid references parent; alter table users disable trigger all',
      'alter table users drop column of; drop table parent',
      'fail',
      /^foreign keys of users are not checked$/u,
      /enable trigger all/u,
    ],
  ] as const;
  for (const [breaks, mends, status, found, advice] of cases) {
    await run('write', breaks);
    const line = await lineOf('changed by hand', 'primary');
    await run('write', mends);
    assert.equal(line.status, status, line.found);
    assert.match(line.found, found);
    assert.match(line.advice ?? '', advice);
  }
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

test('an index under construction is not reported as invalid', async () => {
  const { ask, lineOf, repair, run } = patient();
  repair(async () => run('write', 'drop index if exists slow_idx'));
  await patient().hold('write', "begin; insert into users (first_name, last_name) values ('Ada', 'Lovelace')");
  const building = ask('write', 'create index concurrently slow_idx on users (updated_at)');
  building.catch(() => undefined);
  await eventually(
    async () => (await ask('write', "select 1 from pg_index where indexrelid = to_regclass('slow_idx')")).length === 1,
  );
  assert.equal((await lineOf('invalid indexes', 'primary')).status, 'ok');
  await run('write', 'select pg_cancel_backend(pid) from pg_stat_progress_create_index');
  await building.catch(() => undefined);
  assert.equal((await lineOf('invalid indexes', 'primary')).status, 'fail', 'it broke off');
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
  for (const [env, advice] of cases) assert.match((await lineOf('answers', 'primary', env)).advice ?? '', advice);
  await run('write', 'alter database closed allow_connections false');
  const env = { DB_WRITE_NAME: 'closed' };
  assert.match((await lineOf('answers', 'primary', env)).advice ?? '', /alter database closed allow_connections true/u);
  await run('write', 'alter database closed allow_connections true');
  repair(async () => run('write', 'grant execute on function pg_control_system to public'));
  await run('write', 'revoke execute on function pg_control_system from public');
  const findings = await readReport({ ...environment(), DB_WRITE_USER: 'outside' });
  assert.match(
    worstLine(findings, 'answers', 'primary').advice ?? '',
    /grant execute on function pg_control_system to outside/u,
  );
});
