import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Endpoint } from '../db/endpoint.ts';
import type { CheckName } from '../doctor/check-names.ts';
import type { Finding, Place } from '../doctor/finding.ts';
import type { DoctorLimits } from '../doctor/limits.ts';
import { eventually } from '../embedded/test-pair.ts';
import { parseReport, readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

/** 27 of the connections are for ordinary roles. */
const patient = usePatient({ max_connections: '30', superuser_reserved_connections: '2', reserved_connections: '1' });
const main = fileURLToPath(new URL('../main.ts', import.meta.url));

const never = { warn: Infinity, fail: Infinity };
const warnAtOnce = { warn: 0, fail: Infinity };
const failAtOnce = { warn: 0, fail: 0 };

async function statusWith(limits: Partial<DoctorLimits>, check: CheckName, where?: Place): Promise<string> {
  return worstLine(await patient().examineWith(limits), check, where).status;
}

test('an old open transaction is a warning, then a failure', async () => {
  await patient().hold('write', 'begin; select 1 from users');
  for (const [limits, status] of [
    [never, 'ok'],
    [warnAtOnce, 'warn'],
    [failAtOnce, 'fail'],
  ] as const) {
    assert.equal(await statusWith({ transactionSeconds: limits }, 'oldest transaction', 'primary'), status);
    assert.equal(await statusWith({ idleSeconds: limits }, 'idle in transaction', 'primary'), status);
  }
});

test('old unfrozen rows are a warning, then a failure', async () => {
  assert.equal(await statusWith({ rowAge: warnAtOnce }, 'transaction age'), 'warn');
  assert.equal(await statusWith({ rowAge: failAtOnce }, 'transaction age'), 'fail');
});

test('a low cache hit ratio is reported', async () => {
  const { repair, run } = patient();
  repair(async () => run('write', 'drop extension pg_buffercache'));
  repair(async () => run('write', 'drop table cold'));
  await run('write', 'create extension pg_buffercache');
  await run('write', 'create table cold as select n from generate_series(1, 50000) n');
  await run('write', 'checkpoint');
  await run('write', 'select pg_stat_reset()');
  await run('write', "select pg_buffercache_evict_relation('cold')");
  await run('write', 'select count(*) from cold');
  await eventually(async () => (await statusWith({ leastPages: 100 }, 'cache hit ratio', 'primary')) === 'warn');
  assert.equal(await statusWith({}, 'cache hit ratio', 'primary'), 'ok', 'not enough data');
});

test('an index that no server scans is reported, and one that the standby scans is not', async () => {
  const { examineWith, repair, run } = patient();
  repair(async () => run('write', 'drop index idle_idx'));
  await run('write', 'create index idle_idx on users (last_name)');
  const line = async (): Promise<Finding> =>
    worstLine(await examineWith({ unusedAfterHours: 0 }), 'unused indexes', 'all');
  await eventually(async () => (await line()).found.includes('idle_idx'));
  assert.equal((await line()).status, 'warn');
  await run('read', "set enable_seqscan = off; select 1 from users where last_name = 'x'");
  await eventually(async () => !(await line()).found.includes('idle_idx'));
});

test('lag below the limit is a warning', async () => {
  const { examineWith, repair, run } = patient();
  repair(async () => run('read', 'select pg_wal_replay_resume()'));
  await run('read', 'select pg_wal_replay_pause()');
  repair(async () => run('write', 'drop table unseen'));
  await run('write', 'create table unseen ()');
  const late = worstLine(await examineWith({ warnLagMs: 100, patienceMs: 300 }, { maxLagMs: 60_000 }), 'lag');
  assert.deepEqual([late.status, late.where], ['warn', 'standby']);
});

test('a lagging standby is reported with the cause: paused, delayed by configuration, blocked by a read, or disconnected', async () => {
  const { examineWith, hold, repair, run, set } = patient();
  const late = async (): Promise<Finding> => worstLine(await examineWith({}, { maxLagMs: 300 }), 'lag');
  const write = async (): Promise<void> => run('write', 'insert into paper default values');
  repair(async () => run('write', 'drop table paper'));
  await run('write', 'create table paper (n serial primary key)');
  await eventually(async () => (await late()).status === 'ok');

  await set('read', 'recovery_min_apply_delay', '1h');
  const intended = await late();
  assert.match(intended.found, /: recovery_min_apply_delay is 1h$/u);
  assert.match(intended.advice ?? '', /alter system set recovery_min_apply_delay = '0'/u);
  await set('read', 'recovery_min_apply_delay', '0');

  await set('read', 'max_standby_streaming_delay', '-1');
  await hold('read', 'begin; select * from paper');
  await run('write', 'alter table paper add column more int');
  await eventually(async () =>
    /: replay waits for a read, held by a test \(pid \d+\), \d+\.\d s old$/u.test((await late()).found),
  );
  assert.match((await late()).advice ?? '', /pg_terminate_backend\(\d+\)\. Replay waits for reads for ever/u);
  await run('read', "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'held by a test'");
  await eventually(async () => (await late()).status === 'ok');

  await set('read', 'primary_conninfo', 'host=/nonexistent');
  await eventually(async () => {
    await write();
    return (await late()).found.endsWith(': nothing is received');
  });
});

test('standbys of a list are numbered, and a duplicate is reported', async () => {
  const { pair, examineWith } = patient();
  const { read } = pair.endpoints;
  const findings = await examineWith({}, { reads: [read, read] });
  assert.equal(worstLine(findings, 'replication', 'standby 1').status, 'ok');
  const again = worstLine(findings, 'compatible', 'standby 2');
  assert.deepEqual([again.status, again.found], ['warn', 'the standby 1 under another name']);
});

/** A listener on the loopback in place of the write server; like a frozen server, it never closes connections. */
async function listen(onSocket: (socket: Socket) => void): Promise<Pick<Endpoint, 'host' | 'port'>> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  patient().repair(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return { host: '127.0.0.1', port: address.port };
}

const asWriter = ({ host, port }: Pick<Endpoint, 'host' | 'port'>): Environment => ({
  DB_WRITE_HOST: host,
  DB_WRITE_PORT: String(port),
});

test('a server that accepts connections and never answers costs one deadline, and the standby is checked', async () => {
  const env = asWriter(await listen(() => undefined));
  const findings = await readReport({ ...patient().environment(), ...env, DB_CONNECT_TIMEOUT_MS: '200' });
  const line = worstLine(findings, 'reachable', 'primary');
  assert.match(line.found, /timeout/u);
  assert.match(line.advice ?? '', /does not answer/u);
  assert.equal(worstLine(findings, 'reachable', 'standby').status, 'ok');
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

test('a frozen server costs one deadline, and the standby is checked', async () => {
  const { pair, environment, repair } = patient();
  const { primary } = pair.pids;
  assert(primary !== undefined);
  repair(async () => process.kill(primary, 'SIGCONT'));
  process.kill(primary, 'SIGSTOP');
  const findings = await readReport({ ...environment(), DB_CONNECT_TIMEOUT_MS: '200' });
  assert.match(worstLine(findings, 'reachable', 'primary').found, /timeout/u);
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

/** The primary behind a proxy that drops data for which `isKept` returns true. */
async function listenBetween(isKept: (bytes: Buffer) => boolean): ReturnType<typeof listen> {
  const { host, port } = patient().pair.endpoints.write;
  return await listen((socket) => {
    const upstream = connect(`${host}/.s.PGSQL.${port}`);
    upstream.on('error', () => undefined);
    upstream.pipe(socket);
    socket.on('close', () => upstream.destroy());
    socket.on('data', (bytes: Buffer) => {
      if (!isKept(bytes)) upstream.write(bytes);
    });
  });
}

test('a server that never closes its session does not block the report', async () => {
  let kept = 0;
  const write = await listenBetween((bytes) => {
    const isGoodBye = bytes[0] === 'X'.charCodeAt(0);
    if (isGoodBye) kept += 1;
    return isGoodBye;
  });
  const env = asWriter(write);
  const findings = await readReport({ ...patient().environment(), ...env });
  assert.equal(worstLine(findings, 'reachable').status, 'ok');
  assert.equal(kept, 2, 'of the session that asked who is the primary, and of the one that looked at it');
});

test('a server that freezes during the checks is reported once, with the missing checks', async () => {
  const write = await listenBetween((bytes) => bytes.includes('pg_stat_activity'));
  const findings = await patient().examineWith({}, { write, answerTimeoutMs: 500 });
  const ofPrimary = findings.filter(({ where, status }) => where === 'primary' && status === 'fail');
  assert.deepEqual(
    ofPrimary.map(({ check }) => check),
    ['connections by state'],
  );
  assert.match(ofPrimary[0]?.found ?? '', /^cannot be checked: Query read timeout/u);
  assert.match(ofPrimary[0]?.advice ?? '', /stopped answering, and its other checks are missing/u);
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

test('a low limit of open files is a failure on the command line, with only the report on stdout', async () => {
  const env = { PATH: process.env['PATH'] ?? '', ...patient().environment() };
  const command = `ulimit -n 512 && exec "${process.execPath}" "${main}" doctor --json`;
  const { promise, resolve } = Promise.withResolvers<{ code: number; out: string }>();
  execFile('sh', ['-c', command], { env }, (error, out) => resolve({ code: Number(error?.code ?? 0), out }));
  const { code, out } = await promise;
  const line = worstLine(parseReport(code, out), 'open files');
  assert.equal(line.status, 'fail');
  assert.match(line.found, /^the system allows 512 for each process/u);
});

/** A role with only the required rights; both servers are checked with it. */
async function becomeBlind(): Promise<Environment> {
  const { ask, repair, run } = patient();
  repair(async () => run('write', 'drop owned by blind').then(async () => run('write', 'drop role blind')));
  await run('write', 'create role blind login');
  await run('write', 'grant select, insert, update, delete on all tables in schema public to blind');
  await eventually(async () => (await ask('read', "select 1 from pg_roles where rolname = 'blind'")).length === 1);
  return { DB_WRITE_USER: 'blind', DB_READ_USER: 'blind' };
}

test('for a role without pg_monitor, invisible values are no failures, and the missing right is reported', async () => {
  const { ask, environment, set } = patient();
  const env = { ...environment(), ...(await becomeBlind()) };
  await set('write', 'synchronous_standby_names', '*');
  const confirming = "select 1 from pg_stat_replication where sync_state = 'sync'";
  await eventually(async () => (await ask('write', confirming)).length === 1);
  const findings = await readReport(env);
  assert.deepEqual(
    findings.filter(({ status }) => status === 'fail'),
    [],
  );
  for (const [check, where] of [
    ['replication', 'standby'],
    ['synchronous standbys', 'primary'],
  ] as const) {
    const { status, found, advice } = worstLine(findings, check, where);
    assert.equal(status, 'warn', found);
    assert.match(found, /hidden from our role/u);
    assert.match(advice ?? '', /grant pg_monitor to blind/u);
  }
});

test('a role without pg_monitor can detect missing standbys', async () => {
  const { hold, lineOf, set, sees } = patient();
  const env = await becomeBlind();
  await set('write', 'synchronous_standby_names', 'somebody');
  await set('read', 'primary_conninfo', '');
  await sees('replication', 'fail', /^not streaming \(no receiver\)$/u, 'standby', env);
  const { advice } = await lineOf('replication', 'standby', env);
  assert.match(advice ?? '', /^The standby's log says why/u, 'primary_conninfo is hidden from it');
  await sees('synchronous standbys', 'fail', /none is there$/u, 'primary', env);
  for (let open = 0; open < 5; open += 1) await hold('write', 'select 1');
  await sees('connections by state', 'ok', /\bhidden [5-9]/u, 'primary', env);
});

test('a standby that follows no server, or cannot, is a failure with the remedy', async () => {
  const { examineWith, set } = patient();
  const line = async (): Promise<Finding> => worstLine(await examineWith({}, { maxLagMs: 100 }), 'replication');
  for (const [primary, advice] of [
    ['', /told to follow nobody/u],
    ['host=/nonexistent', /the address or password in primary_conninfo/u],
  ] as const) {
    await set('read', 'primary_conninfo', primary);
    await eventually(async () => (await line()).found === 'not streaming (no receiver)');
    const { status, advice: given } = await line();
    assert.equal(status, 'fail');
    assert.match(given ?? '', advice);
  }
});

/** Default pool sizes, which the start shrinks: `patient` has room for ten per worker. */
function withDefaultPools(): Environment {
  const environment = Object.entries(patient().environment());
  return Object.fromEntries(environment.filter(([name]) => !name.endsWith('_CONNS')));
}

test('pools that the start shrinks are reported, and a role limit of the remaining size is ok', async () => {
  const { repair, run } = patient();
  for (const role of ['enough', 'scarce']) repair(async () => run('write', `drop role ${role}`));
  await run('write', 'create role enough login connection limit 8');
  await run('write', 'create role scarce login connection limit 7');
  const report = async (user: string) => readReport({ ...withDefaultPools(), DB_WRITE_USER: user });
  const findings = await report('enough');
  const limit = worstLine(findings, 'connection limits', 'primary');
  assert.deepEqual([limit.status, limit.found], ['ok', 'our role and the database allow 8, the workers may open 8']);
  const budget = worstLine(findings, 'pool budget');
  assert.equal(budget.status, 'warn');
  assert.match(budget.found, /the (?:write|read) pool shrinks from 100 to 8 connections a worker$/u);
  assert.match(budget.advice ?? '', /messenger tune/u);
  assert.equal(worstLine(await report('scarce'), 'connection limits', 'primary').status, 'fail');
});

test('sessions are reported by state, and many are a warning, then a failure', async () => {
  const { hold, sees } = patient();
  // The pair has its own session.
  await hold('write', 'begin; select 1');
  await hold('write', 'select 1');
  await hold('write', 'select 1');
  await sees('connections by state', 'ok', /^idle [23], idle in transaction 1$/u, 'primary');
  for (let open = 3; open < 22; open += 1) await hold('write', 'select 1');
  await sees('connections in use', 'warn', /^2[23] of 27$/u, 'primary');
});
