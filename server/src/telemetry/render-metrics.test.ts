import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseExposition, totalOf } from '../../test/exposition.ts';
import { mergeSnapshots, metricNames } from './merge-snapshots.ts';
import { declarationOf, metricTable } from './metric-table.ts';
import { add, Metrics, observe, type Snapshot } from './metrics.ts';
import { formatFor, renderMetrics } from './render-metrics.ts';

const prometheus = formatFor('text/plain');
const openMetrics = formatFor('application/openmetrics-text;version=1.0.0,text/plain;q=0.5');

/** A value for every metric. */
function everything(): Snapshot {
  const metrics = new Metrics();
  for (const name of metricNames) {
    const { labels, buckets } = declarationOf(name);
    const series = metrics.series(name, ...labels.map((label) => `a "${label}"\n\\`));
    if (buckets === undefined) add(series, 7);
    else for (const value of [0, 0.003, 1, 1_000]) observe(series, buckets, value);
  }
  return metrics.snapshot();
}

test('both formats pass strict parsers, whatever the labels contain', async () => {
  const snapshot = everything();
  const plain = parseExposition(await renderMetrics(snapshot, prometheus));
  const open = parseExposition(await renderMetrics(snapshot, openMetrics), true);
  assert.deepEqual(open.samples, plain.samples, 'they say the same');
  assert.deepEqual([...plain.types.keys()], metricNames, 'all are declared');
  assert.equal(
    plain.samples.find(({ name }) => name === 'messenger_build_info')?.labels['node'],
    String.raw`a \"node\"\n\\`,
  );
});

test('a histogram counts each value in every bucket that can hold it, and values above all bounds in +Inf', async () => {
  const metrics = new Metrics();
  const name = 'messenger_db_batch_size';
  for (const size of [1, 2, 2, 128, 129]) observe(metrics.series(name, 'read', 'x'), metricTable[name].buckets, size);
  const scrape = parseExposition(await renderMetrics(metrics.snapshot(), prometheus));
  const upTo = (le: string): number => totalOf(scrape, `${name}_bucket`, { le });
  assert.deepEqual([upTo('1'), upTo('2'), upTo('4'), upTo('64'), upTo('128'), upTo('+Inf')], [1, 3, 3, 3, 4, 5]);
  assert.equal(totalOf(scrape, `${name}_sum`), 262);
  assert.equal(totalOf(scrape, `${name}_count`), 5);
});

test('clients that do not accept OpenMetrics get the Prometheus text format', () => {
  for (const accept of [undefined, '*/*', 'text/html', 'text/plain;version=0.0.4'])
    assert.equal(formatFor(accept), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(openMetrics, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
});

test('names follow the conventions of Prometheus for units and counters', () => {
  for (const name of metricNames) {
    const { kind, buckets = [] } = declarationOf(name);
    assert.match(name, /^messenger_[a-z_]+$/u);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
    assert.equal(kind === 'histogram', buckets.length > 0, name);
    assert.doesNotMatch(name, /_(?:ms|milliseconds|kb|percent)(?:_|$)/u);
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a - b),
    );
  }
});

test('values of several processes are summed, except the highest event-loop delay', () => {
  const [one, two] = [new Metrics(), new Metrics()];
  const delay = 'messenger_event_loop_delay_seconds';
  for (const [metrics, value] of [
    [one, 3],
    [two, 5],
  ] as const) {
    metrics.set('messenger_worker_restarts_total', value);
    metrics.set(delay, value, '1');
  }
  two.set(delay, 9, '0.5');
  const merged = mergeSnapshots([one.snapshot(), two.snapshot()]);
  assert.deepEqual(merged.messenger_worker_restarts_total, [{ labels: [], values: [8] }]);
  assert.deepEqual(merged[delay], [
    { labels: ['1'], values: [5] },
    { labels: ['0.5'], values: [9] },
  ]);
  assert.deepEqual(one.snapshot()[delay], [{ labels: ['1'], values: [3] }], 'what was merged is as it was');
});
