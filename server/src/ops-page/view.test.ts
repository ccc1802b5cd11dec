import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LiveSample, LiveServer } from '../telemetry/live-sample.ts';
import { formatBytes, formatCount, formatDuration, formatPercent, withoutNumbers } from './format.js';
import { figuresOf, judge, quantileOf, recentWith } from './view.js';

const primary: LiveServer = { name: 'primary', up: true, connections: 8, maxConnections: 100, lockWaits: 0 };
const standby: LiveServer = { name: 'standby', up: true, receiver: 'streaming', lagBytes: 0, lagSeconds: 0 };

function sample(changes: Partial<LiveSample> = {}, http: Partial<LiveSample['http']> = {}): LiveSample {
  const durations = { bounds: [0.01, 0.1, 1], counts: [0, 0, 0, 0] };
  return {
    atMs: 1_000_000,
    version: '1.2.3',
    startedAtMs: 0,
    http: { ended: {}, overloaded: 0, inFlight: 0, durations, ...http },
    reads: {},
    pools: [],
    servers: [primary, standby],
    workers: { serving: 2, silent: 0, missing: 0, restarts: 0, each: [] },
    slowStatements: [],
    ...changes,
  };
}

const quiet = figuresOf(sample(), sample({ atMs: 1_001_000 }));

/** What is said of a server that was well a second ago. */
function textsOf(
  changes: Partial<LiveSample>,
  http: Partial<LiveSample['http']> = {},
  restartedAtMs?: number,
): readonly string[] {
  const now = sample({ atMs: 1_001_000, ...changes }, http);
  return judge([sample(), now], restartedAtMs).findings.map(({ text }) => text);
}

test('figures are what happened between two samples, by the second', () => {
  const before = sample({}, { ended: { '2xx': 100, '5xx': 1 }, overloaded: 5 });
  const durations = { bounds: [0.01, 0.1, 1], counts: [80, 20, 0, 0] };
  const now = { ended: { '2xx': 280, '4xx': 10, '5xx': 11 }, overloaded: 9, inFlight: 7, durations };
  const reads = { standby: 90, primary_for_token: 10 };
  const figures = figuresOf(before, sample({ atMs: 1_002_000, reads }, now));
  assert.equal(figures.perSecond, 100);
  assert.deepEqual(figures.perSecondByClass, { '2xx': 90, '4xx': 5, '5xx': 5 });
  assert.equal(figures.refusedPerSecond, 2);
  assert.equal(figures.errorPart, 0.05);
  assert.equal(figures.inFlight, 7);
  assert.equal(figures.byStandby, 0.9);
  assert.deepEqual(figures.lagSeconds, { standby: 0 });
  assert.ok(Math.abs((figures.p50 ?? 0) - 0.00625) < 1e-9);
  assert.ok(Math.abs((figures.p95 ?? 0) - 0.0775) < 1e-9);
});

test('when nothing happened there are no percentiles and no errors, and a server that began anew counts from zero', () => {
  assert.deepEqual([quiet.p50, quiet.p99, quiet.byStandby, quiet.errorPart], [undefined, undefined, undefined, 0]);
  const fresh = figuresOf(sample({}, { ended: { '2xx': 900 } }), sample({ atMs: 1_001_000 }, { ended: { '2xx': 30 } }));
  assert.equal(fresh.perSecond, 30);
});

test('above the last bound of a histogram nothing is known but the bound', () => {
  assert.equal(quantileOf([0.1, 1], [0, 0, 3], 0.5), 1);
  assert.equal(quantileOf([0.1, 1], [0, 0, 0], 0.5), undefined);
});

test('all is well when nothing is wrong', () => {
  assert.deepEqual(judge([sample(), sample({ atMs: 1_001_000 })], undefined), { level: 'ok', findings: [] });
  assert.deepEqual(judge([sample()], undefined), { level: 'ok', findings: [] });
});

test('databases that are away, late or held up are named, the primary first', () => {
  const away = {
    servers: [
      { name: 'standby', up: false },
      { name: 'primary', up: false },
    ],
  };
  assert.deepEqual(textsOf(away), [
    'The primary does not answer: nothing can be written',
    'Standby does not answer: others take its reads',
  ]);
  assert.equal(judge([sample(away)], undefined).level, 'bad');
  const late = { ...standby, lagSeconds: 4, lagBytes: 2_097_152, receiver: 'none' };
  assert.deepEqual(textsOf({ servers: [primary, late] }), [
    'Standby receives nothing from the primary (none)',
    'Standby is 4 s (2 MiB) behind',
  ]);
  for (const [receiver, text] of [
    ['promoted', 'Standby was promoted: it takes writes of its own, and gets no reads'],
    ['foreign', 'Standby is no standby of the primary, and gets no reads'],
  ] as const)
    assert.deepEqual(textsOf({ servers: [primary, { ...standby, receiver }] }), [text]);
  const busy = { ...primary, lockWaits: 9, oldestTransactionSeconds: 300, connections: 95 };
  assert.deepEqual(textsOf({ servers: [busy] }), [
    '9 sessions of the primary wait for locks',
    'Primary has a transaction open for 5 min',
    'Primary has 95 of 100 connections in use',
  ]);
});

test('workers that start, are silent or were just restarted are told of, and an old restart is no news', () => {
  const workers = { serving: 0, silent: 1, missing: 2, restarts: 1, each: [] };
  assert.deepEqual(textsOf({ workers }, {}, 991_000), [
    'No worker serves',
    '2 workers are starting',
    '1 worker does not answer',
    'A worker was restarted 10 s ago',
  ]);
  assert.deepEqual(textsOf({}, {}, 900_000), []);
});

const bounds = [0.01, 0.1, 1];

test('refusals, failures and slowness are told in numbers', () => {
  const slow = { durations: { bounds, counts: [97, 0, 0, 3] } };
  assert.deepEqual(textsOf({}, { ended: { '2xx': 10, '5xx': 12 }, overloaded: 12, ...slow }), [
    'Overloaded: 12 requests a second are refused',
    'Slow: 1 in 100 requests takes 1 s or more',
  ]);
  assert.deepEqual(textsOf({}, { ended: { '2xx': 969, '5xx': 31 } }), ['3.1 % of the requests fail']);
});

test('a few slow requests are not 1 in 100; when most of them are slow, a few will do', () => {
  assert.deepEqual(textsOf({}, { durations: { bounds, counts: [1, 0, 0, 1] } }), []);
  assert.deepEqual(textsOf({}, { durations: { bounds, counts: [9, 0, 0, 20] } }), [
    'Slow: half of the requests take 1 s or more',
  ]);
});

test('what happened is told for ten seconds, and forgotten with a server that began anew', () => {
  const failed = { ended: { '5xx': 3 } };
  let recent = recentWith([], sample());
  const texts: string[] = [];
  for (let seconds = 1; seconds <= 13; seconds += 1) {
    recent = recentWith(recent, sample({ atMs: 1_000_000 + seconds * 1_000 }, seconds < 2 ? {} : failed));
    texts.push(
      judge(recent, undefined)
        .findings.map(({ text }) => text)
        .join(),
    );
  }
  const told = '100 % of the requests fail';
  assert.deepEqual(texts, ['', ...Array.from({ length: 10 }, () => told), '', '']);
  const again = recentWith(recent, sample({ atMs: 1_014_000, startedAtMs: 1_013_500 }, failed));
  assert.deepEqual(again.length, 1);
});

test('calls that wait for connections are told when they are many for the load, and not when a full server has some', () => {
  const pools = [{ name: 'read', open: 8, idle: 0, waiting: 300, waits: 0, waitSeconds: 0 }];
  const told = ['300 calls wait for connections of the read pool'];
  const judgeFor = (perSecond: number): readonly string[] => {
    const before = sample({ pools });
    const now = sample({ pools, atMs: 1_001_000 }, { ended: { '2xx': perSecond } });
    return judge([before, now], undefined).findings.map(({ text }) => text);
  };
  assert.deepEqual(judgeFor(0), told);
  assert.deepEqual(judgeFor(200), told);
  assert.deepEqual(judgeFor(5_000), []);
});

test('numbers are written for people', () => {
  assert.deepEqual([0, 0.004_2, 3.146, 42.42, 5_123, 250_000].map(formatCount), [
    '0',
    '0',
    '3.15',
    '42.4',
    '5,123',
    '250 k',
  ]);
  assert.deepEqual([0, 0.000_5, 0.012, 1.5, 119, 300, 10_000, 400_000].map(formatDuration), [
    '0 ms',
    '0.5 ms',
    '12 ms',
    '1.5 s',
    '119 s',
    '5 min',
    '2 h',
    '4 d',
  ]);
  assert.deepEqual([0, 1_023, 1_536, 2 ** 31].map(formatBytes), ['0 B', '1,023 B', '1.5 KiB', '2 GiB']);
  assert.deepEqual([0, 0.0123, 0.999_99, 1].map(formatPercent), ['0 %', '1.23 %', '> 99.9 %', '100 %']);
});

test('another number is told from another finding', () => {
  const same = (one: string, other: string): boolean => withoutNumbers(one) === withoutNumbers(other);
  assert.ok(same('A worker was restarted 10 s ago', 'A worker was restarted 2 min ago'));
  assert.ok(same('Standby is 950 ms (1,023 B) behind', 'Standby is 1.5 s (2 MiB) behind'));
  assert.ok(same('> 99.9 % of the requests fail', '0.1 % of the requests fail'));
  assert.ok(!same('1 worker is starting', '1 worker does not answer'));
  assert.ok(!same('5 sessions wait', '5 standbys wait'));
});
