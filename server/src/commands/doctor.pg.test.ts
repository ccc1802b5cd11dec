import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import type { Endpoint } from '../db/endpoint.ts';
import { migrateUp } from '../db/migrations.ts';
import { withClient } from '../db/session.ts';
import type { Finding, Place, Status } from '../doctor/finding.ts';
import type { Report } from '../doctor/report.ts';
import type { EmbeddedPair } from '../embedded/pair.ts';
import { eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import { migrationsDir } from '../supervise.ts';
import { exitCodes } from './io.ts';
import { runProgram } from './program.ts';

/** A pair of our own: what is broken here must not meet other tests. Few connections, so that they can be used up. */
const maxConnections = 30;
const changes = { max_connections: String(maxConnections) };

let site: TestSite;
let pair: EmbeddedPair;

before(async () => {
  site = await makeTestSite();
  pair = site.pair({ overrides: { primary: changes, standby: changes } });
  await pair.start(AbortSignal.timeout(50_000));
  await migrateUp({
    endpoint: pair.endpoints.write,
    dir: migrationsDir,
    connectTimeoutMs: 5_000,
    log: site.options.log,
  });
  await eventually(async () => (await lineOf('lag')).status === 'ok');
});
after(async () => {
  await pair.stop(soon());
  await site.remove();
});

/** What a test has broken is mended here, also when the test failed. */
const repairs: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const repair of repairs.splice(0).toReversed()) await repair();
});

type Role = 'write' | 'read';
type Environment = Readonly<Record<string, string>>;

/** The first column of the rows, in the migrated database. */
async function ask(role: Role, sql: string): Promise<unknown[]> {
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };
  return await withClient(pair.endpoints[role], session, async (client) => {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows.map((row) => row[0]);
  });
}

async function run(role: Role, sql: string): Promise<void> {
  await ask(role, sql);
}

/** Changes a setting of the running server until the end of the test. */
async function set(role: Role, name: string, value: string): Promise<void> {
  const reload = async (): Promise<void> => run(role, 'select pg_reload_conf()');
  repairs.push(async () => run(role, `alter system reset ${name}`).then(reload));
  await run(role, `alter system set ${name} = '${value}'`);
  await reload();
  const current = async (): Promise<unknown> => (await ask(role, `show ${name}`))[0];
  await eventually(async () => (await current()) === value);
}

function environment(): Environment {
  const of = (role: 'WRITE' | 'READ', { host, port, user, database }: Endpoint): Environment => ({
    [`DB_${role}_HOST`]: host,
    [`DB_${role}_PORT`]: String(port),
    [`DB_${role}_USER`]: user,
    [`DB_${role}_NAME`]: database,
    [`DB_${role}_MAX_OPEN_CONNS`]: '10',
    [`DB_${role}_MAX_IDLE_CONNS`]: '5',
  });
  return {
    ...of('WRITE', pair.endpoints.write),
    ...of('READ', pair.endpoints.read),
    WORKERS: '2',
    MAX_CONNECTIONS: '500',
  };
}

/** `messenger doctor` on the command line. */
async function doctor(env: Environment, ...flags: readonly string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const code = await runProgram(['doctor', ...flags], {
    env,
    out: (text) => void (out += text),
    err: () => undefined,
    errIsTerminal: false,
    onSignal: () => undefined,
    exec: '',
    version: '0.0.0',
  });
  return { code, out };
}

async function examine(env: Environment = {}): Promise<{ code: number; findings: readonly Finding[] }> {
  const { code, out } = await doctor({ ...environment(), ...env }, '--json');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Were it another shape, the assertions would fail.
  const { status, findings } = JSON.parse(out) as Report;
  assert.equal(code, status === 'fail' ? exitCodes.failed : exitCodes.ok);
  for (const one of findings) assert.equal(one.advice === undefined, one.status === 'ok', `advice of: ${one.check}`);
  return { code, findings };
}

/** The worst line of a check, of one server or of any. */
async function lineOf(check: string, where?: Place, env?: Environment): Promise<Finding> {
  const { findings } = await examine(env);
  const lines = findings.filter((one) => one.check === check && (where === undefined || one.where === where));
  const worst = (['fail', 'warn', 'ok'] as const).flatMap((status) => lines.filter((one) => one.status === status));
  assert(worst[0], `there is a line about ${check}; there are ${findings.map((one) => one.check).join(', ')}`);
  return worst[0];
}

async function sees(check: string, status: Status, found: RegExp, where?: Place, env?: Environment): Promise<void> {
  const line = await lineOf(check, where, env);
  assert.equal(line.status, status, `${check}: ${line.found}`);
  assert.match(line.found, found);
}

/** A session that has begun something and stays until the end of the test. */
async function hold(role: Role, begin: string): Promise<void> {
  const { promise: released, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: hasBegun, reject } = Promise.withResolvers<void>();
  const session = { applicationName: 'held by a test', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };
  const held = withClient(pair.endpoints[role], session, async (client) => {
    await client.query(begin);
    hasBegun();
    await released;
  });
  held.catch(reject);
  repairs.push(async () => {
    resolve();
    await held.catch(() => undefined);
  });
  await begun;
}

test('a healthy system has nothing to fail, and each server is looked at', async () => {
  const { code, findings } = await examine();
  assert.equal(code, exitCodes.ok);
  const complaints = findings.filter((one) => one.status !== 'ok').map((one) => `${one.where} ${one.found}`);
  const expected = `max_connections is ${maxConnections}, the profile has 500`;
  assert.deepEqual(complaints, [`primary ${expected}`, `standby ${expected}`]);
  for (const where of ['primary', 'standby', 'both', 'here']) assert.ok(findings.some((one) => one.where === where));
});

test('a terminal gets a table with the advice below each complaint, and a sum', async () => {
  const { code, out } = await doctor(environment());
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^warn {2}primary {2}settings +max_connections is 30, the profile has 500\n +→ \S/mu);
  assert.match(out, /\n\d+ ok, 2 warn, 0 fail\n$/u);
});

test('a server that cannot be reached is a failure with the reason, and the other one is looked at', async () => {
  const { code, findings } = await examine({ DB_WRITE_HOST: '/nonexistent' });
  assert.equal(code, exitCodes.failed);
  const lines = findings.filter((one) => one.check === 'answers');
  assert.deepEqual(
    lines.map((one) => [one.where, one.status]),
    [
      ['primary', 'fail'],
      ['standby', 'ok'],
    ],
  );
  assert.match(lines[0]?.found ?? '', /^\/nonexistent:\d+: .*ENOENT/u);
  await sees('answers', 'fail', /ECONNREFUSED/u, 'standby', { DB_READ_HOST: '127.0.0.1', DB_READ_PORT: '1' });
});

test('embedded databases of which no server runs are a failure, not a crash', async () => {
  const { code, out } = await doctor({}, '--data-dir', '/nonexistent');
  assert.equal(code, exitCodes.failed);
  assert.match(out, /^fail {2}primary {2}answers {2}no server runs on \/nonexistent/mu);
});

test('a primary alone is looked at without a standby', async () => {
  const { write } = pair.endpoints;
  const env = Object.fromEntries(Object.entries(environment()).filter(([name]) => !name.startsWith('DB_READ_')));
  const { code, out } = await doctor({
    ...env,
    DB_READ_MAX_OPEN_CONNS: '5',
    DB_READ_MAX_IDLE_CONNS: '5',
    DB_WRITE_MAX_OPEN_CONNS: '5',
  });
  assert.equal(code, exitCodes.ok, out);
  assert.match(out, /no standby: reads go to the primary/u);
  assert.ok(out.includes(`${write.host}:${write.port}`));
});

test('a standby named as the write server is refused in the words of the start', async () => {
  const { read } = pair.endpoints;
  await sees('fit for Messenger', 'fail', /is a standby, which takes no writes/u, 'both', {
    DB_WRITE_PORT: String(read.port),
  });
});

test('an index that somebody dropped is missed', async () => {
  repairs.push(async () => run('write', 'create index users_name_idx on users (first_name, last_name)'));
  await run('write', 'drop index users_name_idx');
  await sees('missing indexes', 'fail', /^users_name_idx$/u);
});

test('an index whose build broke off is found', async () => {
  repairs.push(async () => run('write', 'drop table doubled'));
  await run('write', 'create table doubled (id int primary key, n int)');
  await run('write', 'insert into doubled values (1, 1), (2, 1)');
  await assert.rejects(run('write', 'create unique index concurrently doubled_n on doubled (n)'));
  await sees('invalid indexes', 'fail', /doubled_n/u);
});

test('a table without a primary key, or that is read whole again and again, is found', async () => {
  repairs.push(async () => run('write', 'drop table heap'));
  await run('write', 'create table heap as select n from generate_series(1, 20000) n');
  await run('write', 'do $$ begin for i in 1..150 loop perform from heap where n = 0; end loop; end $$');
  await eventually(async () => (await lineOf('tables read without an index', 'primary')).status === 'warn');
  await sees('tables without a key', 'fail', /^heap$/u);
});

test('a transaction that idles is told while it holds its locks, and who waits for them', async () => {
  await hold('write', 'begin; lock table users');
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const waiting = ask('write', 'select count(*) from users').finally(resolve);
  repairs.unshift(async () => asked);
  await eventually(async () => (await lineOf('waiting for locks', 'primary')).status === 'warn');
  await eventually(async () => (await lineOf('idle in transaction', 'primary')).status === 'warn');
  await sees('idle in transaction', 'warn', /held by a test \(pid \d+\)/u, 'primary');
  waiting.catch(() => undefined);
});

test('a statement that runs for more than five seconds is told, without its text', async () => {
  const running = ask('write', "select pg_sleep(30), 'secret'");
  running.catch(() => undefined);
  repairs.push(async () =>
    run(
      'write',
      "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()",
    ),
  );
  await eventually(async () => (await lineOf('statements over 5 s', 'primary')).status === 'warn');
  const { out } = await doctor(environment());
  assert.doesNotMatch(out, /secret/u);
});

test('commits that are answered before they are on disk are told', async () => {
  await set('write', 'synchronous_commit', 'off');
  await sees('durability', 'warn', /^synchronous_commit off$/u);
});

test('files that a crash of the machine can destroy are a failure', async () => {
  await set('write', 'full_page_writes', 'off');
  await sees('files survive a crash', 'fail', /full_page_writes off/u);
});

test('an autovacuum that is off, for all or for one table, is a failure', async () => {
  await set('write', 'autovacuum', 'off');
  await sees('autovacuum', 'fail', /^off$/u);
  await set('write', 'autovacuum', 'on');
  repairs.push(async () => run('write', 'alter table users reset (autovacuum_enabled)'));
  await run('write', 'alter table users set (autovacuum_enabled = off)');
  await sees('autovacuum', 'fail', /^off for users$/u);
});

test('dead rows and empty pages are found', async () => {
  repairs.push(async () => run('write', 'drop table churned'));
  await run('write', 'create table churned (id int primary key, text text) with (autovacuum_enabled = off)');
  await run('write', "insert into churned select n, repeat('x', 1000) from generate_series(1, 20000) n");
  await run('write', 'delete from churned where id <= 19000');
  await eventually(async () => (await lineOf('dead rows')).status === 'warn');
  await sees('dead rows', 'warn', /^churned: 19000 dead, 1000 live$/u);
  await run('write', 'vacuum (analyze, truncate off) churned');
  await sees('bloat', 'warn', /^churned: about \d+ MB, 9\d % of it, are empty$/u);
});

test('settings that are less than the tuned profile are told with what they should be', async () => {
  await set('write', 'work_mem', '1MB');
  await sees('settings', 'warn', /^max_connections is 30/u, 'primary');
  const { findings } = await examine();
  assert.ok(
    findings.some((one) => one.found === 'work_mem is 1024 × kB, the profile has 16MB' && one.where === 'primary'),
  );
  await set('read', 'random_page_cost', '4');
  const again = (await examine()).findings;
  assert.ok(again.some((one) => one.found === 'random_page_cost is 4, the profile has 1.1' && one.where === 'standby'));
});

test('a standby whose replay is paused is a failure, and so is its lag when it grows too old', async () => {
  repairs.push(async () => run('read', 'select pg_wal_replay_resume()'));
  await run('read', 'select pg_wal_replay_pause()');
  await sees('replication', 'fail', /^replay is paused$/u, 'standby');
  await run('write', 'create table unseen ()');
  repairs.push(async () => run('write', 'drop table unseen'));
  const late = { DB_READ_MAX_LAG_MS: '100' };
  await eventually(async () => (await lineOf('lag', 'standby', late)).status === 'fail');
  await sees('lag', 'fail', /^[1-9]\d* bytes, \d+ ms$/u, 'standby', late);
});

test('a slot that nobody follows is told', async () => {
  repairs.push(async () => run('write', "select pg_drop_replication_slot('forgotten')"));
  await run('write', "select pg_create_physical_replication_slot('forgotten', true)");
  await sees('replication slots', 'warn', /^forgotten is used by nobody and holds/u);
  await set('write', 'max_slot_wal_keep_size', '-1');
  await sees('replication slots', 'fail', /^forgotten is used by nobody and holds/u);
});

test('a server whose connections are nearly all in use is a failure', async () => {
  for (let open = 0; open < maxConnections - 5; open += 1) await hold('write', 'select 1');
  await sees('connections in use', 'fail', /^2\d of 27$/u, 'primary');
  await sees('connections by application', 'ok', /held by a test 25/u, 'primary');
});

test('pools that do not fit are a failure with the arithmetic, as at the start', async () => {
  const env = { DB_WRITE_MAX_OPEN_CONNS: '100' };
  await sees('pool budget', 'fail', /write 100 \(DB_WRITE_MAX_OPEN_CONNS\) × 2 = 200 do not fit/u, 'both', env);
});

test('a role that may not open what the workers want is a failure, and one that sees little is told', async () => {
  repairs.push(async () => run('write', 'drop role limited'));
  await run('write', 'create role limited login connection limit 5');
  const env = { DB_WRITE_USER: 'limited' };
  await sees('connection limits', 'fail', /allow 5, the workers may open 20$/u, 'primary', env);
  await sees('what we may see', 'warn', /^only our own sessions$/u, 'primary', env);
});

test('a database without the newest schema is a failure', async () => {
  repairs.push(async () => run('write', 'drop database bare with (force)'));
  await run('write', 'create database bare');
  const env = { DB_WRITE_NAME: 'bare', DB_READ_NAME: 'bare' };
  await eventually(async () => (await lineOf('answers', 'standby', env)).status === 'ok');
  await sees('schema', 'fail', /^pending: 0001_users/u, 'primary', env);
});

test('requests that do not share statements are told', async () => {
  await sees('batching', 'warn', /^off$/u, 'here', { DB_BATCHING: 'off' });
});

test('a limit of open files below what all clients need is told', async () => {
  await sees('open files', 'warn', /all connections of a worker would need 10000/u, 'here', {
    MAX_CONNECTIONS: '10000000',
  });
});
