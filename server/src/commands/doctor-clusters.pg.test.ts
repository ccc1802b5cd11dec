import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import type { Endpoint } from '../db/endpoint.ts';
import type { Finding } from '../doctor/finding.ts';
import { findBinaries } from '../embedded/binaries.ts';
import { makeUnfinished, markStandby, writeConfiguration } from '../embedded/cluster-files.ts';
import type { EmbeddedPair } from '../embedded/pair.ts';
import { type PostgresProcess, startPostgres } from '../embedded/postgres-process.ts';
import { renderPostgresConf, roles, settingsFor } from '../embedded/settings.ts';
import { eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import { askAt, environmentOf, readReport, worstLine } from './test-doctor.ts';

let site: TestSite;
let pair: EmbeddedPair;
let other: TestSite;
let otherPair: EmbeddedPair;
const extras: PostgresProcess[] = [];
const copies: string[] = [];
/** A copy that follows the primary of the pair without a slot. */
let slotless: Endpoint;

/** Three more copies of the pair's standby, and an unrelated pair. */
before(async () => {
  site = await makeTestSite();
  const first = site.pair();
  await first.start(AbortSignal.timeout(50_000));
  await first.stop(soon());
  for (const name of ['second', 'third', 'slotless']) {
    const to = await makeUnfinished(join(dirname(site.options.dataDir), name));
    const from = join(site.options.dataDir, 'standby');
    await cp(from, to, { recursive: true });
    copies.push(to);
  }
  pair = site.pair();
  await pair.start(AbortSignal.timeout(50_000));
  other = await makeTestSite('new');
  otherPair = other.pair();
  await otherPair.start(AbortSignal.timeout(50_000));
  await eventually(async () => (await askAt(otherPair.endpoints.read, 'select 1')).length === 1);
});
after(async () => {
  for (const extra of extras.toReversed()) await extra.stop(soon());
  await Promise.all([pair.stop(soon()), otherPair.stop(soon())]);
  await Promise.all([site.remove(), other.remove()]);
});

/** Starts a copy as a standby of the server at `upstream`. */
async function follow(dir: string | undefined, port: number, upstream: Endpoint): Promise<Endpoint> {
  assert(dir !== undefined);
  const binaries = await findBinaries(undefined);
  const { host } = upstream;
  const conninfo = `host='${host}' port=${upstream.port} user=${roles.replication} application_name=copy_${port}`;
  const overrides = {
    ...site.options.overrides?.standby,
    port: String(port),
    primary_conninfo: conninfo,
    primary_slot_name: '',
  };
  const settings = settingsFor('standby', { synchronousCommit: 'on', tuning: 'on', socketDir: host, overrides });
  await writeConfiguration(dir, renderPostgresConf(settings));
  await markStandby(dir);
  extras.push(await startPostgres({ role: 'standby', dir, binaries, log: site.options.log }, soon()));
  const endpoint = { ...upstream, port };
  const streams = async (): Promise<boolean> =>
    (await askAt(endpoint, 'select status from pg_stat_wal_receiver'))[0] === 'streaming';
  await eventually(streams);
  return endpoint;
}

async function examineReading(read: Endpoint): Promise<readonly Finding[]> {
  return await readReport(environmentOf({ write: pair.endpoints.write, read }));
}

test('a standby of another cluster is a failure', async () => {
  const findings = await examineReading(otherPair.endpoints.read);
  assert.match(worstLine(findings, 'compatible', 'standby').found, /it is another database cluster/u);
  assert.ok(!findings.some(({ check }) => check === 'lag'), 'there is nothing to compare');
});

test('another primary in place of the standby is a failure', async () => {
  const line = worstLine(await examineReading(otherPair.endpoints.write), 'compatible', 'standby');
  assert.equal(line.status, 'fail');
});

test('a standby with a missing, lost or occupied slot is reported with the remedy', async () => {
  const { write } = pair.endpoints;
  slotless = await follow(copies[2], 5436, write);
  assert.match(
    worstLine(await examineReading(slotless), 'replication', 'standby').found,
    /^streaming from the primary/u,
  );
  const unkept = worstLine(await examineReading(slotless), 'retained WAL', 'standby');
  assert.deepEqual([unkept.status, unkept.found], ['warn', 'none is kept: it has no slot, and wal_keep_size is 0']);
  const adviceWith = async (slot: string): Promise<string> => {
    await askAt(slotless, `alter system set primary_slot_name = '${slot}'`);
    await askAt(slotless, 'select pg_reload_conf()');
    const line = async (): Promise<Finding> => worstLine(await examineReading(slotless), 'replication', 'standby');
    await eventually(async () => (await line()).found === 'not streaming (no receiver)');
    return (await line()).advice ?? '';
  };
  assert.match(
    await adviceWith('nowhere'),
    /^Its slot is not there\. .*pg_create_physical_replication_slot\('nowhere'\)/u,
  );
  assert.match(await adviceWith('messenger_standby'), /^Another standby uses its slot messenger_standby \(pid \d+ /u);
});

test('a cascading standby is ok; after its promotion the advice is to stop the old primary, and its followers are reported', async () => {
  const second = await follow(copies[0], 5434, pair.endpoints.read);
  const behind = await examineReading(second);
  assert.equal(worstLine(behind, 'standby release', 'standby').found, 'the same');
  assert.match(worstLine(behind, 'retained WAL', 'standby').found, /^kept by another standby/u);
  const { status, found } = worstLine(behind, 'replication', 'standby');
  assert.equal(status, 'ok');
  assert.match(found, /^streaming through another standby \(.*:5433\)$/u);
  const third = await follow(copies[1], 5435, second);
  await askAt(second, 'select pg_promote()');
  await eventually(async () => (await askAt(third, 'select received_tli from pg_stat_wal_receiver'))[0] === 2);

  const both = await examineReading(second);
  assert.match(
    worstLine(both, 'reachable', 'primary').found,
    /:5434$/u,
    'the newest timeline is the primary, as for the start',
  );
  const old = worstLine(both, 'compatible', 'standby');
  assert.equal(old.status, 'fail');
  assert.match(old.found, /^accepts writes, in addition to the primary .*:5434$/u);
  assert.match(old.advice ?? '', /Stop it at once/u);
  const astray = worstLine(await examineReading(third), 'replication', 'standby');
  assert.equal(astray.status, 'fail');
  assert.match(astray.found, /^follows another primary \(.*:5434\): timeline 2, ours is on 1$/u);
});

test("a replay paused by a lower setting than the primary's must not be resumed, and the setting is named", async () => {
  const { write } = pair.endpoints;
  await askAt(slotless, "alter system set primary_slot_name = ''");
  await askAt(slotless, 'select pg_reload_conf()');
  await askAt(write, 'alter system set max_locks_per_transaction = 80');
  const { primary } = pair.pids;
  assert(primary !== undefined);
  process.kill(primary, 'SIGKILL');
  const line = async (): Promise<Finding> => worstLine(await examineReading(slotless), 'replication', 'standby');
  await eventually(async () => (await line()).found === 'replay is paused');
  assert.match(
    (await line()).advice ?? '',
    /less max_locks_per_transaction than the primary, and would shut down when resumed/u,
  );
  const { status, found, advice } = worstLine(await examineReading(slotless), 'standby settings', 'standby');
  assert.deepEqual([status, found], ['fail', 'max_locks_per_transaction is 64 on the standby, 80 on the primary']);
  assert.match(advice ?? '', /On the standby: alter system set max_locks_per_transaction = '80', and restart it/u);
});
