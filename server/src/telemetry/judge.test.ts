import assert from 'node:assert/strict';
import { test } from 'node:test';

import { primary, sample, standby } from '../../test/live-samples.ts';
import { conditionsOf, recentWith } from './judge.ts';
import type { LiveSample } from './live-sample.ts';

/** The conditions of a server that was healthy a second ago. */
function textsOf(changes: Partial<LiveSample>, http: Partial<LiveSample['http']> = {}): readonly string[] {
  const now = sample({ atMs: 1_001_000, ...changes }, http);
  return conditionsOf([sample(), now]).map(({ text }) => text);
}

test('a healthy server has no conditions', () => {
  assert.deepEqual(textsOf({}), []);
  assert.deepEqual(conditionsOf([sample()]), []);
  assert.deepEqual(textsOf({ servers: [primary] }), [], 'no standby is wanted');
});

test('a feed that does not follow the log, or is far behind, is reported', () => {
  const feed = { isLive: true, lagBytes: 1_000, lagSeconds: 0.002 };
  assert.deepEqual(textsOf({ feed }), []);
  const away = 'The feed does not follow the log of the primary: realtime events are delayed';
  assert.deepEqual(textsOf({ feed: { ...feed, isLive: false } }), [away]);
  const late = 'The feed is 100 MiB behind the primary: realtime events are late';
  assert.deepEqual(textsOf({ feed: { ...feed, lagBytes: 104_857_600 } }), [late]);
});

const noStandby = 'No standby follows the primary: losing the primary would be an outage';

test('unavailable, lagging and blocked databases are reported', () => {
  const away = {
    servers: [
      { name: 'primary', up: false },
      { name: 'standby', up: false },
    ],
  };
  assert.deepEqual(textsOf(away), [
    'The primary does not answer: nothing can be written',
    'Standby does not answer: others take its reads',
    noStandby,
  ]);
  const late = { ...standby, lagSeconds: 4, lagBytes: 2_097_152, receiver: 'none' };
  assert.deepEqual(textsOf({ servers: [primary, late] }), [
    'Standby receives nothing from the primary (none)',
    'Standby is 4 s (2 MiB) behind',
    noStandby,
  ]);
  for (const [receiver, text] of [
    ['promoted', 'Standby was promoted: it accepts writes, and gets no reads'],
    ['foreign', 'Standby is no standby of the primary, and gets no reads'],
  ] as const)
    assert.deepEqual(textsOf({ servers: [primary, { ...standby, receiver }] }), [text, noStandby]);
  const busy = { ...primary, lockWaits: 9, oldestTransactionSeconds: 300, connections: 95 };
  assert.deepEqual(textsOf({ servers: [busy] }), [
    '9 sessions of the primary wait for locks',
    'Primary has a transaction open for 5 min',
    'Primary has 95 of 100 connections in use',
  ]);
});

test('a read-only primary is reported with its role', () => {
  assert.deepEqual(textsOf({ servers: [{ ...primary, role: 'read_only' }, standby] }), [
    'The primary is read-only: nothing can be written',
  ]);
  assert.deepEqual(textsOf({ servers: [{ ...primary, role: 'standby' }, standby] }), [
    'The write database is a standby: nothing can be written',
  ]);
});

test('a standby name that resolves to the primary is not a standby', () => {
  assert.deepEqual(textsOf({ servers: [primary, { name: 'standby', up: true, role: 'primary' }] }), [noStandby]);
});

test('a nearly full disk and a fault of an embedded database are reported, also while it is unavailable', () => {
  const disk = { diskFreeBytes: 2 ** 20, diskSizeBytes: 2 ** 30, fault: 'disk_full' };
  assert.deepEqual(textsOf({ servers: [{ name: 'primary', up: false, ...disk }, standby] }), [
    'The primary is down (disk full): nothing can be written',
    'The disk of the primary has 1 MiB of 1 GiB free',
  ]);
  assert.deepEqual(textsOf({ servers: [primary, { ...standby, fault: 'read_only' }] }), [
    'Standby has a fault: read only',
  ]);
});

test('client connections at or near their limit are reported', () => {
  assert.deepEqual(textsOf({ clients: { open: 10, most: 1_000, shed: 7 } }), [
    '7 client connections were closed to make room',
  ]);
  assert.deepEqual(textsOf({ clients: { open: 950, most: 1_000, shed: 0 } }), [
    '950 of 1000 client connections are in use',
  ]);
});

test('memory and open files near their limits are reported', () => {
  const { machine } = sample();
  const openFiles = [{ process: 'worker', open: 900, limit: 1_000 }];
  assert.deepEqual(textsOf({ machine: { ...machine, availableMemoryBytes: 50, openFiles } }), [
    '95 % of the memory is in use: 50 B are available',
    'A worker has 900 of 1000 open files in use',
  ]);
});

test('starting and silent workers are reported', () => {
  const workers = { serving: 0, silent: 1, missing: 2, restarts: 1, each: [] };
  assert.deepEqual(textsOf({ workers }), ['2 workers are starting', '1 worker does not answer']);
  assert.deepEqual(textsOf({ workers: { ...workers, silent: 0 } }), ['No worker serves', '2 workers are starting']);
});

const bounds = [0.01, 0.1, 1];

test('refused, failed and slow requests are reported with numbers', () => {
  const slow = { durations: { bounds, counts: [97, 0, 0, 3] } };
  assert.deepEqual(textsOf({}, { ended: { '2xx': 10, '5xx': 12 }, overloaded: 12, ...slow }), [
    'Overloaded: 12 requests a second are refused',
    'Slow: 1 in 100 requests takes 1 s or more',
  ]);
  assert.deepEqual(textsOf({}, { ended: { '2xx': 969, '5xx': 31 } }), ['3.1 % of the requests fail']);
});

test('few slow requests are not reported unless most requests are slow', () => {
  assert.deepEqual(textsOf({}, { durations: { bounds, counts: [1, 0, 0, 1] } }), []);
  assert.deepEqual(textsOf({}, { durations: { bounds, counts: [9, 0, 0, 20] } }), [
    'Slow: half of the requests take 1 s or more',
  ]);
});

test('a condition is reported for ten seconds', () => {
  const failed = { ended: { '5xx': 3 } };
  let recent = recentWith([], sample());
  const texts: string[] = [];
  for (let seconds = 1; seconds <= 13; seconds += 1) {
    recent = recentWith(recent, sample({ atMs: 1_000_000 + seconds * 1_000 }, seconds < 2 ? {} : failed));
    texts.push(
      conditionsOf(recent)
        .map(({ text }) => text)
        .join(),
    );
  }
  const told = '100 % of the requests fail';
  assert.deepEqual(texts, ['', ...Array.from({ length: 10 }, () => told), '', '']);
});

test('calls waiting for connections are reported only if they are many for the load', () => {
  const pools = [{ name: 'read', open: 8, idle: 0, waiting: 300, waits: 0, waitSeconds: 0 }];
  const told = ['300 calls wait for connections of the read pool'];
  const judgeFor = (perSecond: number): readonly string[] => {
    const before = sample({ pools });
    const now = sample({ pools, atMs: 1_001_000 }, { ended: { '2xx': perSecond } });
    return conditionsOf([before, now]).map(({ text }) => text);
  };
  assert.deepEqual(judgeFor(0), told);
  assert.deepEqual(judgeFor(200), told);
  assert.deepEqual(judgeFor(5_000), []);
});
