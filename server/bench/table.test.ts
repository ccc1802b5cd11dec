import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Line } from './lines.ts';
import type { Sample } from './rounds.ts';
import { judge, putIntoPage, renderResults, renderSamples } from './table.ts';

const line: Line = {
  group: 'batching',
  title: 'get: batched ÷ unbatched',
  figure: 'perSecond',
  left: { call: 'get', on: 'batched' },
  right: { call: 'get', on: 'unbatched' },
  target: { atLeast: 2 },
};

function rounds(values: readonly number[], failures = 0): Sample[] {
  return values.map((perSecond) => ({ perSecond, failures, p99Ms: 1.26, workerUs: 2, databaseUs: 3, clientUs: 4 }));
}

const samples = new Map([
  ['get batched', rounds([200, 30, 400])],
  ['get unbatched', rounds([100, 10, 200])],
]);

test('the median of its rounds decides whether a line meets its target', () => {
  assert.partialDeepStrictEqual(judge(line, samples), { ratio: 2, verdict: 'reached' });
  assert.equal(judge({ ...line, target: { atLeast: 2.01 } }, samples).verdict, 'missed');
  assert.equal(judge({ ...line, target: { atMost: 1.99 } }, samples).verdict, 'missed');
  assert.equal(judge({ ...line, target: { atMost: 2 } }, samples).verdict, 'reached');
});

test('one failed request invalidates a line', () => {
  const failed = new Map(samples).set('get unbatched', [...rounds([100, 10]), ...rounds([200], 1)]);
  assert.deepEqual(judge(line, failed), { line, ratio: undefined, verdict: 'void: requests failed' });
});

test('a line without pgbench is marked as skipped', () => {
  const result = judge({ ...line, right: { call: 'get', on: 'pgbench' } }, samples);
  assert.equal(result.verdict, 'skipped: pgbench is not installed');
  assert.match(renderResults([result], samples), /\| ≥ 2 \|  \| 200\/s \|  \| skipped/u);
});

test('the tables show ratios and medians with their units', () => {
  assert.match(renderResults([judge(line, samples)], samples), /\| ≥ 2 \| 2\.00 \| 200\/s \| 100\/s \| reached \|/u);
  assert.match(renderSamples(samples), /\| get unbatched \| 100 \| 1\.3 \| 2 \| 3 \| 4 \| 0 \|/u);
});

test('a page keeps its text around the markers, and gets missing markers', () => {
  const once = putIntoPage('# Performance\n', 'old');
  assert.equal(once, '# Performance\n\n<!-- bench -->\n\nold\n\n<!-- /bench -->\n');
  assert.equal(putIntoPage(`${once}\nmore\n`, 'new'), `${once.replace('old', 'new')}\nmore\n`);
});
