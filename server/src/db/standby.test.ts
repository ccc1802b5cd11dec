import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { ScriptedServer } from '../../test/scripted-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { createLog } from '../telemetry/log.ts';
import { onlyOnPrimary, type ServerStatus } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Standby, type StandbyOptions } from './standby.ts';

const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
const clock = { nowMs: 0, now: () => clock.nowMs };
const nothingReplayed = { lsn: null, flushed: null, incarnation: 'first start', readOnly: false };
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

let server: ScriptedServer;
let primaryLog: PrimaryLog;
let primary: ServerStatus | undefined;
let options: StandbyOptions;
let standby: Standby;

beforeEach(() => {
  lines.length = 0;
  server = new ScriptedServer('standby', { lsn: 100n });
  primaryLog = new PrimaryLog(clock, 10_000);
  primary = { ...nothingReplayed, systemIdentifier: '7', startedAt: 'primary', inRecovery: false, timeline: 1 };
  options = { primary: () => primary, primaryLog, maxLagMs: 1_000, log };
  standby = new Standby(server.watched(), server.batches(), options);
});

test('a standby gets reads after its first check, not before', async () => {
  assert.equal(standby.state, 'unknown');
  await standby.check();
  assert.equal(standby.isFit, true);
  assert.equal(standby.has({ timeline: 1, lsn: 100n }), true);
  assert.equal(standby.has({ timeline: 1, lsn: 101n }), false);
  assert.deepEqual(lines, []);
});

test('an unavailable or silent one is excluded until it answers again, with one log line each', async () => {
  for (const health of ['away', 'silent'] as const) {
    server.health = health;
    await standby.check();
    await standby.check();
    assert.equal(standby.state, 'away');
    server.health = 'well';
    await standby.check();
    assert.equal(standby.isFit, true);
  }
  standby.close(); // Writes the pending line of repeated messages.
  assert.equal(lines.filter((line) => line.includes('"standby":"standby:5433"') && /is away/u.test(line)).length, 2);
  assert.equal(lines.filter((line) => /gets reads again/u.test(line)).length, 2);
});

test('a flapping one causes few log lines', async () => {
  for (let n = 0; n < 200; n += 1) {
    server.health = n % 2 === 0 ? 'away' : 'well';
    await standby.check();
  }
  standby.close();
  assert.equal(lines.length, 4);
  assert.match(lines.join(''), /"count":99/u);
});

test('a fit one stays fit while the primary is unavailable, although it lacks the last WAL', async () => {
  let isPrimaryAway = false;
  const other = new Standby(server.watched(), server.batches(), { ...options, isPrimaryAway: () => isPrimaryAway });
  primaryLog.add({ timeline: 1, lsn: 100n });
  clock.nowMs += 250;
  primaryLog.add({ timeline: 1, lsn: 150n });
  await other.check();
  isPrimaryAway = true;
  clock.nowMs += 60_000;
  await other.check();
  assert.equal(other.state, 'fit');
  server.health = 'silent';
  await other.check();
  assert.equal(other.state, 'fit', 'it may be slow, and nobody else can read');
  server.health = 'away';
  await other.check();
  assert.equal(other.state, 'away');
  server.health = 'well';
  await other.check();
  assert.equal(other.state, 'fit');
  isPrimaryAway = false;
  await other.check();
  assert.equal(other.state, 'late');
});

test('calls in flight are rejected when it becomes unavailable', async () => {
  const one = async (): Promise<never> => Promise.withResolvers<never>().promise;
  const send = standby.batches.open({ name: 'held', keyOf: String, one, many: one }, { withPosition: false });
  const held = assert.rejects(send('', soon()), { code: 'database_unavailable' });
  server.health = 'away';
  await standby.check();
  await held;
});

test('calls waiting for a position are resumed when it is replayed, and share the queries', async () => {
  await standby.check();
  server.asked.length = 0;
  const waiting = Array.from({ length: 50 }, async () => standby.reaches({ timeline: 1, lsn: 200n }, soon()));
  await waitFor('a question', () => server.asked.length > 1);
  const asked = server.asked.length;
  server.lsn = 200n;
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set([true]));
  assert.ok(asked < 50);
});

test('a wait is useful on the same timeline with a small lag only', async () => {
  assert.equal(standby.mayHaveSoon({ timeline: 1, lsn: 200n }), false, 'nothing is known yet');
  primaryLog.add({ timeline: 1, lsn: 150n });
  await standby.check();
  assert.equal(standby.mayHaveSoon({ timeline: 1, lsn: 200n }), true);
  assert.equal(standby.mayHaveSoon({ timeline: 2, lsn: 1n }), false);
  assert.equal(standby.mayHaveSoon(onlyOnPrimary), false);
  clock.nowMs += 1_001;
  assert.equal(standby.mayHaveSoon({ timeline: 1, lsn: 200n }), false);
  server.lsn = 150n;
  await standby.check();
  assert.equal(standby.mayHaveSoon({ timeline: 1, lsn: 200n }), true);
});

test('a wait ends at its time-out, and then the queries end', async () => {
  await standby.check();
  const over = new AbortController();
  const waiting = standby.reaches({ timeline: 1, lsn: 200n }, over.signal);
  await waitFor('questions', () => server.asked.length > 3);
  over.abort();
  assert.equal(await waiting, false);
  assert.equal(await standby.reaches({ timeline: 1, lsn: 200n }, over.signal), false);
  const asked = server.asked.length;
  const neighbour = new ScriptedServer('neighbour');
  const waitingThere = new Standby(neighbour.watched(), neighbour.batches(), options).reaches(
    { timeline: 1, lsn: 1n },
    soon(),
  );
  await waitFor('as long as several questions take', () => neighbour.asked.length > 5);
  assert.ok(server.asked.length <= asked + 1, 'one question may have been on its way');
  neighbour.lsn = 1n;
  assert.equal(await waitingThere, true);
});

test('a wait ends when the standby becomes unavailable', async () => {
  await standby.check();
  const waiting = standby.reaches({ timeline: 1, lsn: 200n }, soon());
  server.health = 'away';
  await standby.check();
  assert.equal(await waiting, false);
});

test('the position of an earlier start of the server is discarded', async () => {
  await standby.check();
  Object.assign(server, { lsn: 50n, incarnation: 'second start' });
  await standby.check();
  assert.equal(standby.incarnation, 'second start');
  assert.equal(standby.has({ timeline: 1, lsn: 50n }), true);
  assert.equal(standby.has({ timeline: 1, lsn: 51n }), false);
});

test('answers out of order do not lower the position', async () => {
  await standby.check();
  standby.learn({ lsn: '90', timeline: 1, incarnation: 'first start' });
  assert.equal(standby.has({ timeline: 1, lsn: 100n }), true);
});

async function assertLeftOut(changes: Partial<ScriptedServer>, told: RegExp): Promise<void> {
  await standby.check();
  Object.assign(server, { lsn: 900n, ...changes });
  const waiting = standby.reaches({ timeline: 1, lsn: 500n }, soon());
  await standby.check();
  assert.equal(standby.state, 'foreign');
  assert.equal(await waiting, false);
  assert.equal(standby.has({ timeline: 1, lsn: 101n }), false);
  assert.match(lines.join(''), told);
}

test('a server of another cluster is excluded, and its positions are ignored', async () => {
  await assertLeftOut({ systemIdentifier: '8' }, /another database cluster/u);
});

test('a promoted standby is excluded', async () => {
  await assertLeftOut({ inRecovery: false }, /promoted/u);
});

test("a standby on the primary's old timeline is excluded until it follows", async () => {
  await standby.check();
  assert(primary);
  primary = { ...primary, startedAt: 'new primary', timeline: 2 };
  await standby.check();
  assert.equal(standby.state, 'foreign');
  assert.match(lines.join(''), /is on timeline 1 and the primary on 2/u);
  server.timeline = 2;
  await standby.check();
  assert.equal(standby.isFit, true);
  server.timeline = 1;
  await standby.check();
  assert.equal(standby.isFit, true, 'without its connection it names the timeline of its last restart point');
});

test('the primary itself is not foreign, and while the primary is unavailable no server is', async () => {
  Object.assign(server, { inRecovery: false, startedAt: 'primary' });
  await standby.check();
  assert.equal(standby.isFit, true);
  server.systemIdentifier = '8';
  primary = undefined;
  await standby.check();
  assert.equal(standby.isFit, true);
});

test('one with too much lag is excluded until it has caught up', async () => {
  primaryLog.add({ timeline: 1, lsn: 100n });
  primaryLog.add({ timeline: 1, lsn: 200n });
  await standby.check();
  assert.equal(standby.isFit, true, 'it has had no time yet');
  clock.nowMs += 1_001;
  await standby.check();
  assert.equal(standby.state, 'late');
  server.lsn = 200n;
  await standby.check();
  assert.equal(standby.isFit, true);
  assert.match(lines.join(''), /too far behind.*\n.*gets reads again/u);
});

test("one with unknown lag is excluded, without a log line at first, until it has the primary's first position", async () => {
  primaryLog.add({ timeline: 1, lsn: 200n });
  await standby.check();
  assert.equal(standby.state, 'unknown', 'the missing part may be of yesterday');
  assert.deepEqual(lines, []);
  server.lsn = 200n;
  await standby.check();
  assert.equal(standby.isFit, true);
  assert.deepEqual(lines, []);
});

test("one that does not reach the primary's first position is logged as lagging", async () => {
  primaryLog.add({ timeline: 1, lsn: 200n });
  clock.nowMs += 1_001;
  await standby.check();
  assert.equal(standby.state, 'late');
});

test('a fit one is excluded after a gap of the samples, until it has the WAL of the gap', async () => {
  primaryLog.add({ timeline: 1, lsn: 100n });
  await standby.check();
  clock.nowMs += 5_000;
  primaryLog.add({ timeline: 1, lsn: 200n });
  await standby.check();
  assert.equal(standby.state, 'unknown');
  server.lsn = 200n;
  await standby.check();
  assert.equal(standby.isFit, true);
  assert.match(lines.join(''), /behind by an unknown time.*\n.*gets reads again/u);
});

test('while the primary has never answered, the standby gets reads', async () => {
  primary = undefined;
  await standby.check();
  assert.equal(standby.isFit, true);
});
