/** Metrics of a lagging and of a promoted standby. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { EmbeddedPair } from '../embedded/pair.ts';
import { ask, eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import type { Snapshot } from './metrics.ts';
import { PostgresMetrics } from './postgres-metrics.ts';

/** The servers that `ask` queries. */
const database = 'postgres';

let site: TestSite;
let pair: EmbeddedPair;
let metrics: PostgresMetrics;
let nowMs = 0;

before(async () => {
  site = await makeTestSite();
  pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table churned (id int) with (autovacuum_enabled = off)');
  const { write, read } = pair.endpoints;
  const servers = [
    { name: 'primary', endpoint: { ...write, database } },
    { name: 'standby', endpoint: { ...read, database } },
  ];
  const clock = { now: () => nowMs };
  metrics = new PostgresMetrics({ servers: () => servers, clock, random: () => 0, log: site.options.log });
  await eventually(async () => (await read1('messenger_postgres_replication_lag_bytes', 'standby')) === 0);
});
after(async () => {
  await metrics.close();
  await pair.stop(soon());
  await site.remove();
});

/** A value of the next collection, one second later by our clock. */
async function read1(name: keyof Snapshot, ...labels: readonly string[]): Promise<number | undefined> {
  nowMs += 1_000;
  return (await metrics.read())[name]?.find((one) => one.labels.join() === labels.join())?.values[0];
}

const lagSeconds = async (): Promise<number | undefined> =>
  read1('messenger_postgres_replication_lag_seconds', 'standby');

test('lag is the age of missing commits by our clock; one commit after an idle hour is not an hour of lag', async () => {
  await ask(pair, 'read', 'select pg_wal_replay_pause()');
  nowMs += 3_600_000;
  await ask(pair, 'write', 'insert into churned select generate_series(1, 10)');
  assert.equal(await lagSeconds(), 0);
  nowMs += 59_000;
  assert.equal(await lagSeconds(), 60);
  await ask(pair, 'write', 'insert into churned values (11)');
  assert.equal(await lagSeconds(), 61, 'of the oldest that it lacks');
  await ask(pair, 'read', 'select pg_wal_replay_resume()');
  await eventually(async () => (await lagSeconds()) === 0);
});

/** The statements of the metrics session on the primary since then, without readers. */
async function countSamples(since: unknown): Promise<number> {
  const sql = `select query_start::text from pg_stat_activity where application_name = 'messenger metrics'
    and state = 'idle' and query_start > '${String(since)}'`;
  return (await ask(pair, 'write', sql)).length;
}

test('the age of missing commits is right also when the metrics were not read meanwhile', async () => {
  await ask(pair, 'read', 'select pg_wal_replay_pause()');
  metrics.start();
  const [, written] = await ask(
    pair,
    'write',
    'insert into churned values (12), (13) returning clock_timestamp()::text',
  );
  await eventually(async () => (await countSamples(written)) > 0);
  nowMs += 59_000;
  assert.equal(await lagSeconds(), 60);
  await ask(pair, 'read', 'select pg_wal_replay_resume()');
  await eventually(async () => (await lagSeconds()) === 0);
});

test("a promoted standby is reported, and has no lag and no values about the primary's dead rows", async () => {
  await ask(pair, 'write', 'delete from churned');
  const deadRows = async (): Promise<number | undefined> => read1('messenger_postgres_dead_rows', 'churned');
  await eventually(async () => (await deadRows()) === 13);
  assert.equal(await read1('messenger_postgres_replication_state', 'standby', 'streaming'), 1);
  await ask(pair, 'read', 'select pg_promote()');
  assert.equal(await read1('messenger_postgres_replication_state', 'standby', 'promoted'), 1);
  const { messenger_postgres_replication_state: states, messenger_postgres_replication_lag_bytes: lag } =
    await metrics.read();
  assert.deepEqual([states?.length, lag], [1, undefined]);
  assert.equal(await deadRows(), 13);
});
