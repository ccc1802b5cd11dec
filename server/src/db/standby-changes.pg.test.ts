/** A standby may become another server: with less data after a crash, with another history after a promotion. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { ask, eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import type { EmbeddedPair } from '../embedded/pair.ts';
import { createLog } from '../telemetry/log.ts';
import { BatchedPool } from './batched-pool.ts';
import type { BatchableRead, BatchableWrite } from './batchable.ts';
import type { Caller } from './caller.ts';
import { GroupCommit } from './group-commit.ts';
import { Pool, type Role } from './pool.ts';
import { primaryPosition, replayPosition, type Position } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Probe } from './probe.ts';
import { Reads } from './reads.ts';
import { Server } from './server.ts';
import { Standby } from './standby.ts';
import { Standbys } from './standbys.ts';
import { statement } from './statement.ts';
import { Turn } from '../lib/turn.ts';
import { Writes } from './writes.ts';

const services = {
  clock: performance,
  random: Math.random,
  log: createLog({ level: 'silent', name: 'test', pretty: false }),
};
const nothing = async (): Promise<void> => undefined;
const limits = { maxInFlight: 2, maxSize: 10, maxWaiting: 100, maxWaitMs: 5_000 };
const insertNote = statement<{ id: number }>('test.note', 'insert into noted default values returning id');
const countNotes = statement<{ n: number }>('test.count', 'select count(*)::int as n from noted');

const note: BatchableWrite<undefined, number> = {
  name: 'test.note',
  one: async (db) => (await db.query(insertNote, []))[0]?.id ?? 0,
  many: async () => assert.fail('one at a time here'),
};

const count: BatchableRead<undefined, number> = {
  name: 'test.count',
  keyOf: () => '',
  one: async (db) => (await db.query(countNotes, []))[0]?.n ?? 0,
  many: async () => assert.fail('one key only'),
};

let site: TestSite;
let pair: EmbeddedPair;
let pools: Pool[] = [];
let probed: Server[] = [];
let reads: Reads;
let readCount: (caller: Caller) => Promise<number>;
let writeNote: (caller: Caller) => Promise<number>;

before(async () => {
  site = await makeTestSite();
  pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table noted (id serial primary key)');
  await ask(pair, 'write', 'grant all on noted, noted_id_seq to messenger_app');
  await ask(pair, 'write', 'checkpoint');
  await eventually(async () => (await ask(pair, 'read', 'select count(*)::int from noted'))[0] === 0);
  // Recovery restarts here; nothing later is on the standby's disk.
  await ask(pair, 'read', 'alter system set bgwriter_lru_maxpages = 0');
  await ask(pair, 'read', 'select pg_reload_conf()');
  await ask(pair, 'read', 'checkpoint');
});

after(async () => {
  await pair.stop(soon());
  await site.remove();
});

function openPool<R extends Role>(role: R): Pool<R> {
  const pool = new Pool(
    {
      role,
      endpoint: { ...pair.endpoints[role], database: 'postgres' },
      applicationName: 'test',
      maxOpen: 2,
      maxIdle: 2,
      maxWaiting: 100,
      lifetimeMs: 600_000,
      idleTimeMs: 300_000,
      connectTimeoutMs: 2_000,
      statementTimeoutMs: 5_000,
      prepare: true,
      wrap: false,
    },
    services,
  );
  pools.push(pool);
  return pool;
}

/** As in a worker, but without regular checks: after the first one, the standby's state comes from reads only. */
beforeEach(async () => {
  const { clock, log } = services;
  const turn = new Turn(clock);
  const writePool = openPool('write');
  const primary = new BatchedPool(writePool, { limits, clock, turn, position: primaryPosition });
  const commits = new GroupCommit(writePool, { limits, clock, turn, position: primaryPosition, maxDeferred: 1 });
  const onStandby = new BatchedPool(openPool('read'), { limits, clock, turn, position: replayPosition });
  const primaryLog = new PrimaryLog(clock, 10_000);
  const endpoint = { ...pair.endpoints.read, database: 'postgres' };
  const server = new Server(endpoint, new Probe({ endpoint, applicationName: 'test', prepare: true, clock }));
  probed.push(server);
  const standby = new Standby(server, onStandby, { primary: () => undefined, primaryLog, maxLagMs: 5_000, log });
  await standby.check();
  const standbys = new Standbys([standby], { maxTogether: 10, random: () => 0 });
  reads = new Reads({
    primary,
    standbys,
    maxCatchUpMs: 20,
    timeoutMs: 5_000,
    clock,
    onFailure: () => undefined,
    onOldPrimary: nothing,
  });
  const read = reads.prepare(count);
  const writeOne = new Writes(commits).prepare(note);
  readCount = async (caller) => read(undefined, caller);
  writeNote = async (caller) => writeOne(undefined, caller);
});

afterEach(async () => {
  await Promise.all([...pools, ...probed].map(async (one) => one.close()));
  [pools, probed] = [[], []];
});

function callerWith(token: Position | undefined): Caller {
  return { lifetime: new AbortController().signal, token, seen: undefined };
}

async function write(): Promise<Position | undefined> {
  const caller = callerWith(undefined);
  await writeNote(caller);
  return caller.seen;
}

/** Kills one process of the standby, which then replays from its last restart point, without new WAL. */
async function crashStandby(): Promise<void> {
  await ask(pair, 'read', "alter system set recovery_min_apply_delay = '1h'");
  await ask(pair, 'read', 'select pg_reload_conf()');
  const [victim] = await ask(pair, 'read', "select pid from pg_stat_activity where backend_type = 'background writer'");
  process.kill(Number(victim), 'SIGKILL');
  await eventually(async () => (await ask(pair, 'read', 'select count(*)::int from noted'))[0] === 0);
}

test('a client reads its writes also after a crash in which the standby lost replayed WAL', async () => {
  const token = await write();
  await eventually(async () => (await readCount(callerWith(token))) === 1 && reads.outcomes.standby > 0);
  const { standby: postmaster } = pair.pids;
  await crashStandby();
  assert.equal(pair.pids.standby, postmaster, 'the start time of the postmaster says nothing');
  const known = reads.outcomes.standby;
  for (let round = 0; round < 10; round += 1) assert.equal(await readCount(callerWith(token)), 1);
  assert.equal(reads.outcomes.standby, known);
});

test('a client reads its writes also after the standby was promoted and wrote more', async () => {
  await ask(pair, 'read', 'select pg_promote()');
  for (let far = 0; far < 3; far += 1) await ask(pair, 'read', 'select pg_switch_wal() from (select txid_current())');
  const token = await write();
  assert.equal(await readCount(callerWith(token)), 2);
});
