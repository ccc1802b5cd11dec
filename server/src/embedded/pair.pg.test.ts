import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { withClient } from '../db/session.ts';
import { findBinaries } from './binaries.ts';
import type { EmbeddedPair } from './pair.ts';
import { startPostgres } from './postgres-process.ts';
import { findRunningServer } from './server-record.ts';
import { databaseName, roles } from './settings.ts';
import { embeddedEndpoints } from './socket-folder.ts';
import { withSession } from './sql.ts';
import { ask, eventually, isAlive, makeTestSite, processFact, replicates, soon, type TestSite } from './test-pair.ts';

let site: TestSite;
let pair: EmbeddedPair;

before(async () => {
  site = await makeTestSite('new');
  pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (id uuid primary key default uuidv7())');
});

after(async () => {
  await pair.stop(soon());
  await site.remove();
});

function pidsOf({ pids }: EmbeddedPair): { primary: number; standby: number } {
  assert.ok(pids.primary !== undefined && pids.standby !== undefined, 'both servers run');
  return { primary: pids.primary, standby: pids.standby };
}

test('writes on the primary can be read on the standby', async () => {
  await replicates(pair, 'kept');
});

test('the standby streams from the start, retains WAL with its slot, and sends feedback about its reads', async () => {
  const [slot] = await ask(
    pair,
    'write',
    `select active from pg_replication_slots where slot_name = 'messenger_standby'`,
  );
  assert.equal(slot, true);
  assert.deepEqual(await ask(pair, 'read', 'select pg_is_in_recovery()'), [true]);
  assert.deepEqual(await ask(pair, 'read', 'show hot_standby_feedback'), ['on']);
  assert.equal(site.lines.filter((line) => line.includes('rebuilding')).length, 0);
});

test('both servers have the settings of the tuning guide, and no TCP port', async () => {
  for (const role of ['write', 'read'] as const) {
    assert.deepEqual(await ask(pair, role, 'show max_connections'), ['500']);
    assert.deepEqual(await ask(pair, role, 'show work_mem'), ['16MB']);
    assert.deepEqual(await ask(pair, role, 'show listen_addresses'), ['']);
  }
  const inFile = `select setting from pg_file_settings where name = 'synchronous_commit'`;
  assert.deepEqual(await ask(pair, 'write', inFile), ['on']);
  assert.deepEqual(await ask(pair, 'read', 'show random_page_cost'), ['1.1']);
});

test('commits of the application wait for the disk, also for a role or database with synchronous_commit = off', async () => {
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  for (const carrier of [`role ${roles.application}`, `database ${databaseName}`]) {
    await ask(pair, 'write', `alter ${carrier} set synchronous_commit = off`);
    const { rows } = await withClient(pair.endpoints.write, session, async (client) =>
      client.query('show synchronous_commit'),
    );
    await ask(pair, 'write', `alter ${carrier} reset synchronous_commit`);
    assert.deepEqual(rows, [{ synchronous_commit: 'on' }], carrier);
  }
});

test('the endpoints can be computed without the server that runs there', async () => {
  assert.deepEqual(await embeddedEndpoints(site.options.dataDir), pair.endpoints);
});

test('a second server on the same data folder is refused, with the holder', async () => {
  await pair.announce('http://127.0.0.1:8080');
  const expected = new RegExp(`in use by the server with pid ${process.pid} \\(http://127.0.0.1:8080\\)`);
  await assert.rejects(site.pair().start(soon()), expected);
  assert.equal((await findRunningServer(site.options.dataDir))?.pid, process.pid);
});

test('Ctrl-C in a terminal reaches only the server, which then stops its databases gracefully', async () => {
  const { primary, standby } = pidsOf(pair);
  const groups = await Promise.all([process.pid, primary, standby].map((pid) => processFact(pid, 'pgid')));
  assert.equal(new Set(groups).size, 3, groups.join(' '));
});

test('a primary restarts after kill -9, with all commits', async () => {
  const killed = pidsOf(pair);
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  process.kill(killed.primary, 'SIGKILL');
  await eventually(async () => (await ask(pair, 'write', 'select id from kept')).includes(id));
  assert.notEqual(pair.pids.primary, killed.primary);
  await replicates(pair, 'kept');
  assert.equal(pair.pids.standby, killed.standby);
});

test('a standby restarts after kill -9 and follows, without a rebuild', async () => {
  const killed = pidsOf(pair);
  process.kill(killed.standby, 'SIGKILL');
  await eventually(() => pair.pids.standby !== undefined && pair.pids.standby !== killed.standby);
  await replicates(pair, 'kept');
  assert.equal(pair.pids.primary, killed.primary);
  assert.ok(!site.lines.some((line) => line.includes('rebuilding')));
});

test('data survives a restart, and the standby stops with everything that the primary has', async () => {
  const stopped = pidsOf(pair);
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  await pair.stop(soon());
  assert.equal((await isAlive(stopped.primary)) || (await isAlive(stopped.standby)), false);
  assert.equal(await findRunningServer(site.options.dataDir), undefined);

  pair = site.pair();
  await pair.start(soon());
  assert.ok((await ask(pair, 'write', 'select id from kept')).includes(id));
  assert.ok((await ask(pair, 'read', 'select id from kept')).includes(id));
  await replicates(pair, 'kept');
});

/** The end of the standby's WAL, read from a standby without its primary. */
async function endOfStandby(): Promise<string> {
  const binaries = await findBinaries(undefined);
  const { dataDir, log } = site.options;
  const { read } = await embeddedEndpoints(dataDir);
  const dir = join(dataDir, 'standby');
  const standby = await startPostgres({ role: 'standby', dir, binaries, log }, soon());
  const { rows } = await withSession(read, async (client) =>
    client.query<{ lsn: string }>('select pg_last_wal_replay_lsn() as lsn'),
  );
  await standby.stop(soon());
  return rows[0]?.lsn ?? assert.fail('no position');
}

test('after a stop the standby has all WAL, including the last record of the primary', async () => {
  await pair.stop(soon());
  const end = await endOfStandby();
  pair = site.pair();
  await pair.start(soon());
  assert.deepEqual(await ask(pair, 'write', `select checkpoint_lsn < '${end}' from pg_control_checkpoint()`), [true]);
});

test('user input does not reach the log, even from failed statements', async () => {
  await assert.rejects(ask(pair, 'write', `select 'Ada Lovelace'::uuid`));
  await assert.rejects(ask(pair, 'write', `insert into kept values ('Ada', 'Lovelace')`));
  await eventually(() => site.lines.some((line) => line.includes('22P02')));
  assert.ok(!site.lines.some((line) => line.includes('Ada')));
});
