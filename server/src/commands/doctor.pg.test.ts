import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { eventually } from '../embedded/test-pair.ts';
import { exitCodes } from './io.ts';
import { guideMachine, readReport, runDoctor, usePatient, worstLine } from './test-doctor.ts';

/** Few connections, so that tests can exhaust them. */
const maxConnections = 30;
const patient = usePatient({
  max_connections: String(maxConnections),
  work_mem: '4MB',
});

/** These also fit on a promoted standby. */
const smallPools = { DB_WRITE_MAX_OPEN_CONNS: '4', DB_READ_MAX_OPEN_CONNS: '4' };

test('a healthy system has no failure, and each server is checked', async () => {
  const { environment } = patient();
  const findings = await readReport({ ...environment(), ...smallPools });
  const complaints = findings.filter((one) => one.status !== 'ok').map((one) => `${one.where} ${one.found}`);
  assert.deepEqual(complaints, []);
  for (const where of ['primary', 'standby', 'all', 'here']) assert.ok(findings.some((one) => one.where === where));
});

test('a terminal gets a table with the advice below each problem, and a summary', async () => {
  const { environment, set } = patient();
  await set('write', 'random_page_cost', '4');
  const { code, out } = await runDoctor({ ...environment(), ...smallPools }, ...guideMachine);
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^primary\n(?: .*\n)+\nstandby\n(?: .*\n)+\nall servers together\n/mu);
  assert.match(
    out,
    /^ {2}warn {2}settings +random_page_cost is 4, the profile has 1\.1\n {8}→ alter system set random_page_cost = '1\.1'; select/mu,
  );
  assert.match(out, /\n\d+ ok, 1 warn, 0 fail\n$/u);
});

test('an unreachable server is a failure with the reason, and the other one is checked', async () => {
  const { environment, sees } = patient();
  const findings = await readReport({ ...environment(), DB_WRITE_HOST: '/nonexistent' });
  const lines = findings.filter((one) => one.check === 'reachable');
  assert.deepEqual(
    lines.map((one) => [one.where, one.status]),
    [
      ['primary', 'fail'],
      ['standby', 'ok'],
    ],
  );
  assert.match(lines[0]?.found ?? '', /^\/nonexistent:\d+: .*ENOENT/u);
  await sees('reachable', 'fail', /ECONNREFUSED/u, 'standby', { DB_READ_HOST: '127.0.0.1', DB_READ_PORT: '1' });
});

test('stopped embedded databases are a failure, not a crash', async () => {
  const { code, out } = await runDoctor({}, '--data-dir', '/nonexistent');
  assert.equal(code, exitCodes.failed);
  assert.match(out, /^ {2}fail {2}reachable +no server runs on \/nonexistent/mu);
  assert.match(out, /→ Start the server/u);
});

test('a single primary is checked without a standby', async () => {
  const { environment, pair } = patient();
  const { write } = pair.endpoints;
  const env = Object.fromEntries(Object.entries(environment()).filter(([name]) => !name.startsWith('DB_READ_')));
  const { code, out } = await runDoctor({
    ...env,
    DB_READ_MAX_OPEN_CONNS: '4',
    DB_READ_MAX_IDLE_CONNS: '4',
    DB_WRITE_MAX_OPEN_CONNS: '4',
  });
  assert.equal(code, exitCodes.ok, out);
  assert.match(out, /no standby: reads go to the\s+primary/u);
  assert.ok(out.includes(`${write.host}:${write.port}`));
});

test('a standby as the write server is refused with the message of the start', async () => {
  const { pair, sees } = patient();
  const { read } = pair.endpoints;
  await sees('compatible', 'fail', /is a standby, which takes no writes/u, 'primary', {
    DB_WRITE_PORT: String(read.port),
  });
});

test('a dropped index is reported', async () => {
  const { repair, run, sees } = patient();
  repair(async () => run('write', 'create index users_newest_idx on users (created_at, id)'));
  await run('write', 'drop index users_newest_idx');
  await sees('missing indexes', 'fail', /^users_newest_idx$/u);
});

test('a table with many sequential scans is reported', async () => {
  const { lineOf, repair, run } = patient();
  repair(async () => run('write', 'drop table heap'));
  await run('write', 'create table heap as select n from generate_series(1, 20000) n');
  await run('write', 'do $$ begin for i in 1..150 loop perform from heap where n = 0; end loop; end $$');
  await eventually(async () => (await lineOf('sequential scans', 'primary')).status === 'warn');
});

test('an idle transaction is reported with its locks, and with the sessions that wait for them', async () => {
  const { ask, examineWith, hold, lineOf, repair } = patient();
  const waiting: Promise<unknown>[] = [];
  repair(async () => Promise.all(waiting));
  await hold('write', 'begin; lock table users');
  waiting.push(ask('write', 'select count(*) from users'));
  await eventually(async () => (await lineOf('lock waits', 'primary')).status === 'warn');
  assert.match(
    (await lineOf('lock waits', 'primary')).advice ?? '',
    /^Held by held by a test \(pid \d+\) \d+\.\d s: select pg_terminate_backend\(\d+\) ends it\.$/u,
  );
  const idle = worstLine(
    await examineWith({ idleSeconds: { warn: 0, fail: Infinity } }),
    'idle in transaction',
    'primary',
  );
  assert.equal(idle.status, 'warn');
  assert.match(idle.found, /held by a test \(pid \d+\)/u);
});

test('a long statement is reported without its text', async () => {
  const { ask, examineWith, repair, run } = patient();
  const running = ask('write', "select pg_sleep(30), 'secret'");
  running.catch(() => undefined);
  repair(async () =>
    run(
      'write',
      "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()",
    ),
  );
  const examineAt = async (statementSeconds: number) => examineWith({ statementSeconds });
  await eventually(async () => worstLine(await examineAt(0), 'long statements', 'primary').status === 'warn');
  assert.doesNotMatch(JSON.stringify(await examineAt(0)), /secret/u);
  assert.equal(worstLine(await examineAt(25), 'long statements', 'primary').status, 'ok');
});

test('synchronous_commit = off is reported with its source', async () => {
  const { lineOf, repair, run, sees, set } = patient();
  await set('write', 'synchronous_commit', 'off');
  repair(async () => run('write', 'drop role stranger'));
  repair(async () => run('write', 'alter database postgres reset synchronous_commit'));
  await run('write', 'create role stranger; alter role stranger set synchronous_commit = off');
  await run('write', 'alter database postgres set synchronous_commit = off');
  await sees('durability', 'ok', /^synchronous_commit on/u);
  for (const carrier of ['role messenger_app', 'database messenger', 'role messenger_app in database messenger']) {
    repair(async () => run('write', `alter ${carrier} reset synchronous_commit`));
    await run('write', `alter ${carrier} set synchronous_commit = off`);
    await sees('durability', 'warn', new RegExp(`^alter ${carrier} set synchronous_commit = off$`, 'u'));
    assert.match(
      (await lineOf('durability')).advice ?? '',
      new RegExp(`alter ${carrier} reset synchronous_commit`, 'u'),
    );
    await run('write', `alter ${carrier} reset synchronous_commit`);
  }
  await sees('durability', 'warn', /^synchronous_commit off$/u, 'primary', { MESSENGER_SYNCHRONOUS_COMMIT: 'off' });
});

test('full_page_writes = off is a failure', async () => {
  const { sees, set } = patient();
  await set('write', 'full_page_writes', 'off');
  await sees('crash safety', 'fail', /full_page_writes off/u);
});

test('autovacuum disabled for all or for one table is a failure', async () => {
  const { repair, run, sees, set } = patient();
  await set('write', 'autovacuum', 'off');
  await sees('autovacuum', 'fail', /^autovacuum off$/u);
  await set('write', 'autovacuum', 'on');
  repair(async () => run('write', 'alter table users reset (autovacuum_enabled)'));
  await run('write', 'alter table users set (autovacuum_enabled = off)');
  await sees('autovacuum', 'fail', /^off for users$/u);
});

test('dead rows and bloat are reported', async () => {
  const { lineOf, repair, run, sees } = patient();
  repair(async () => run('write', 'drop table churned, mild'));
  await run('write', 'create table mild with (autovacuum_enabled = off) as select from generate_series(1, 20000)');
  await run('write', 'delete from mild where random() < 0.7');
  await run('write', 'create table churned (id int primary key, text text) with (autovacuum_enabled = off)');
  await run('write', "insert into churned select n, repeat('x', 1000) from generate_series(1, 20000) n");
  await run('write', 'delete from churned where id <= 19000');
  await eventually(async () => /churned.*mild|mild.*churned/u.test((await lineOf('dead rows')).found));
  await sees('dead rows', 'warn', /^churned: 19000 dead, 1000 live[,;] mild: \d+ dead, \d+ live$/u);
  await run('write', 'alter table churned owner to messenger_app');
  await run('write', 'vacuum (analyze, truncate off) churned');
  await sees('bloat', 'warn', /^churned: about \d+ MB, 9\d % of it, are empty$/u);
});

test('settings below the tuned profile are reported with the recommended values', async () => {
  const { environment, sees, set } = patient();
  await set('write', 'effective_cache_size', '256MB');
  await sees('settings', 'warn', /^effective_cache_size is 32768 × 8kB, the profile has 512MB$/u, 'primary');
  await set('read', 'random_page_cost', '4');
  const again = await readReport(environment());
  assert.ok(again.some((one) => one.found === 'random_page_cost is 4, the profile has 1.1' && one.where === 'standby'));
});

test('paused replay is a failure, and so is lag over the limit', async () => {
  const { lineOf, repair, run, sees } = patient();
  repair(async () => run('read', 'select pg_wal_replay_resume()'));
  await run('read', 'select pg_wal_replay_pause()');
  await sees('replication', 'fail', /^replay is paused$/u, 'standby');
  await run('write', 'create table unseen ()');
  repair(async () => run('write', 'drop table unseen'));
  const late = { DB_READ_MAX_LAG_MS: '100' };
  await eventually(async () => (await lineOf('lag', 'standby', late)).status === 'fail');
  await sees('lag', 'fail', /^[1-9]\d* bytes, not replayed within 100 ms: replay is paused$/u, 'standby', late);
});

test('an unused slot is reported', async () => {
  const { repair, run, sees, set } = patient();
  repair(async () => run('write', "select pg_drop_replication_slot('forgotten')"));
  await run('write', "select pg_create_physical_replication_slot('forgotten', true)");
  await sees('replication slots', 'warn', /^forgotten holds \d+ MB for nobody$/u);
  await set('write', 'max_slot_wal_keep_size', '-1');
  await sees('replication slots', 'fail', /^forgotten holds \d+ MB for nobody, without a limit$/u);
});

test('nearly exhausted connections are a failure', async () => {
  const { hold, sees } = patient();
  for (let open = 0; open < maxConnections - 5; open += 1) await hold('write', 'select 1');
  await sees('connections in use', 'fail', /^2\d of 27$/u, 'primary');
  await sees('connections by application', 'ok', /held by a test 25/u, 'primary');
});

test('pools that do not fit are a failure with the calculation, as at the start', async () => {
  const { sees } = patient();
  const env = { DB_WRITE_MAX_OPEN_CONNS: '100' };
  await sees('pool budget', 'fail', /write 100 \(DB_WRITE_MAX_OPEN_CONNS\) × 2 = 200 do not fit/u, 'all', env);
  const tight = { DB_WRITE_MAX_OPEN_CONNS: '10', DB_WRITE_MAX_IDLE_CONNS: '10' };
  await sees('pool budget', 'warn', /^During a reload one more worker runs: .* × 3 = 30 do not fit/u, 'all', tight);
});

test('a connection limit of the role below the pools is a failure, and a role without pg_monitor is reported', async () => {
  const { repair, run, sees } = patient();
  repair(async () => run('write', 'drop role limited'));
  await run('write', 'create role limited login connection limit 5');
  const env = { DB_WRITE_USER: 'limited' };
  await sees('connection limits', 'fail', /allow 5, the workers may open 20$/u, 'primary', env);
  await sees('visibility', 'warn', /^only our own sessions$/u, 'primary', env);
});

test('a database without the newest schema is a failure', async () => {
  const { lineOf, repair, run, sees } = patient();
  repair(async () => run('write', 'drop database bare with (force)'));
  await run('write', 'create database bare');
  const env = { DB_WRITE_NAME: 'bare', DB_READ_NAME: 'bare' };
  await eventually(async () => (await lineOf('reachable', 'standby', env)).status === 'ok');
  await sees('schema', 'fail', /^pending: 0001_users/u, 'primary', env);
});

test('a configured MAX_CONNECTIONS above the limit of open files is reported, and the default is not', async () => {
  const { environment, sees } = patient();
  await sees('open files', 'warn', /client connections for each worker$/u, 'here', { MAX_CONNECTIONS: '10000000' });
  const { MAX_CONNECTIONS: _asked, ...byDefault } = environment();
  assert.equal(worstLine(await readReport(byDefault), 'open files').status, 'ok');
});

test('a wrong password, an unknown user, database or host, and a missing certificate are reported with their remedies', async () => {
  const { ask, lineOf, pair, repair, run } = patient();
  const hba = String((await ask('write', 'show hba_file'))[0]);
  const before = await readFile(hba, 'utf8');
  repair(async () => run('write', 'drop role guarded'));
  repair(async () => writeFile(hba, before).then(async () => run('write', 'select pg_reload_conf()')));
  await run('write', "create role guarded login password 'right'");
  await writeFile(hba, `local all guarded scram-sha-256\n${before}`);
  await run('write', 'select pg_reload_conf()');
  const cases = [
    [{ DB_WRITE_USER: 'guarded', DB_WRITE_PASSWORD: 'wrong' }, /password authentication failed/u, /DB_WRITE_PASSWORD/u],
    [{ DB_WRITE_USER: 'nobody' }, /role "nobody" does not exist/u, /create role nobody login/u],
    [{ DB_WRITE_NAME: 'nothing' }, /database "nothing" does not exist/u, /create database nothing/u],
    [{ DB_WRITE_TLS: 'require' }, /does not support SSL/u, /DB_WRITE_TLS=disable/u],
    [{ DB_WRITE_TLS: 'verify-full', DB_WRITE_TLS_CA: '/nonexistent' }, /ENOENT.*\/nonexistent/u, /DB_WRITE_TLS_CA/u],
  ] as const;
  await eventually(async () => (await lineOf('reachable', 'primary', cases[0][0])).status === 'fail');
  for (const [env, found, advice] of cases) {
    const line = await lineOf('reachable', 'primary', env);
    assert.equal(line.status, 'fail', line.found);
    assert.match(line.found, found);
    assert.match(line.advice ?? '', advice);
  }
  assert.ok(pair.endpoints.write.password === undefined, 'the others of this file come in without one');
});

test('the primary under a second name is not a standby', async () => {
  const { environment, pair } = patient();
  const { host, port } = pair.endpoints.write;
  const findings = await readReport({ ...environment(), DB_READ_HOST: `${host}/.`, DB_READ_PORT: String(port) });
  const ofStandby = findings.filter(({ where }) => where === 'standby');
  assert.deepEqual(
    ofStandby.map(({ check, status, found }) => [check, status, found]),
    [
      ['reachable', 'ok', `${host}/.:${port}`],
      ['compatible', 'warn', 'the primary under another name'],
    ],
  );
  assert.match(worstLine(findings, 'pool budget').found, /write|read/u);
});

test('a lost slot is a failure', async () => {
  const { repair, run, sees, set } = patient();
  repair(async () => run('write', "select pg_drop_replication_slot('cut')"));
  await run('write', "select pg_create_physical_replication_slot('cut', true)");
  await set('write', 'max_slot_wal_keep_size', '16MB');
  const more = "select pg_switch_wal() from (select pg_logical_emit_message(false, 'test', 'x')) as one";
  for (let segment = 0; segment < 4; segment += 1) await run('write', more);
  await run('write', 'checkpoint');
  await sees('replication slots', 'fail', /^cut is lost$/u);
});

test('commits that wait for an absent standby are a failure', async () => {
  const { lineOf, sees, set } = patient();
  await sees('synchronous standbys', 'ok', /^commits wait for none$/u);
  await set('write', 'synchronous_standby_names', 'somebody');
  await sees('synchronous standbys', 'fail', /none is there$/u);
  await set('write', 'synchronous_standby_names', '*');
  await eventually(async () => (await lineOf('synchronous standbys')).status === 'ok');
});

test('fsync = off is a failure', async () => {
  const { sees, set } = patient();
  await set('write', 'fsync', 'off');
  await sees('crash safety', 'fail', /^fsync off, full_page_writes on$/u);
});

test('a setting that waits for a restart is reported', async () => {
  const { repair, run, lineOf, sees } = patient();
  const reload = async (): Promise<void> => run('write', 'select pg_reload_conf()');
  repair(async () => run('write', 'alter system reset max_connections').then(reload));
  await run('write', "alter system set max_connections = '40'");
  await reload();
  await eventually(async () => (await lineOf('pending restart', 'primary')).status === 'warn');
  await sees('pending restart', 'warn', /^max_connections$/u, 'primary');
});

test('a connection limit of the database below the pools is a failure', async () => {
  const { repair, run, sees, lineOf } = patient();
  repair(async () => run('write', 'alter database messenger connection limit -1'));
  await run('write', 'alter database messenger connection limit 7');
  await sees('connection limits', 'fail', /allow 7, the workers may open 20$/u, 'primary');
  assert.match(
    (await lineOf('connection limits', 'primary')).advice ?? '',
    /alter database messenger connection limit -1/u,
  );
});

test('a schema that is newer than this version is a failure', async () => {
  const { repair, run, sees } = patient();
  repair(async () => run('write', "delete from migrations where name = '9999_future'"));
  await run('write', "insert into migrations (name, run_on) values ('9999_future', now())");
  await sees('schema', 'fail', /does not know: 9999_future/u);
});

test('a full server is a failure with that reason, and the standby is checked', async () => {
  const { environment, hold, repair, run } = patient();
  repair(async () => run('write', 'drop role ordinary'));
  await run('write', 'create role ordinary login');
  for (let open = 0; open < maxConnections - 4; open += 1) await hold('write', 'select 1');
  const findings = await readReport({ ...environment(), DB_WRITE_USER: 'ordinary' });
  const line = worstLine(findings, 'reachable', 'primary');
  assert.equal(line.status, 'fail', line.found);
  assert.match(line.found, /53300/u);
  assert.match(line.advice ?? '', /pg_stat_activity/u);
  assert.ok(findings.filter(({ where }) => where === 'standby').length > 10);
});

test('stdout has only the report, and is empty after a usage error', async () => {
  const { code, out, err } = await runDoctor(patient().environment(), '--jsn');
  assert.deepEqual([code, out], [exitCodes.usage, '']);
  assert.match(err, /unknown option '--jsn'/u);
});
