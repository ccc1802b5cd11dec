import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noCollection } from '../../test/collections.ts';
import { sampleOf } from './live-sample.ts';
import { metricTable } from './metric-table.ts';
import { Metrics, observe } from './metrics.ts';

const { buckets } = metricTable.messenger_http_request_duration_seconds;

test('requests are summed over methods and routes, and durations keep their buckets', () => {
  const metrics = new Metrics();
  metrics.set('messenger_http_requests_total', 3, 'GET', '/api/a', '2xx');
  metrics.set('messenger_http_requests_total', 4, 'POST', '/api/b', '2xx');
  metrics.set('messenger_http_requests_total', 1, 'GET', '/api/a', '5xx');
  metrics.set('messenger_http_requests_refused_total', 9, 'invalid_request');
  metrics.set('messenger_http_requests_refused_total', 2, 'overloaded');
  for (const [route, seconds] of [['/api/a', 0.0004] as const, ['/api/b', 0.0004] as const, ['/api/b', 60] as const])
    observe(metrics.series('messenger_http_request_duration_seconds', 'GET', route, '2xx'), buckets, seconds);
  const { http } = sampleOf({ ...noCollection, metrics: metrics.snapshot() });
  assert.deepEqual(http.ended, { '2xx': 7, '5xx': 1 });
  assert.equal(http.overloaded, 2);
  assert.deepEqual(http.durations.bounds, buckets);
  assert.deepEqual(http.durations.counts, [2, ...buckets.slice(1).map(() => 0), 1]);
});

test('probes, scrapes and pages are not traffic; requests refused before routing are', () => {
  const metrics = new Metrics();
  const durations = 'messenger_http_request_duration_seconds';
  for (const route of ['/metrics', '/readyz', '/ops/:file', '/', 'none', '/api/v1/users']) {
    metrics.set('messenger_http_requests_total', 1, 'GET', route, '5xx');
    observe(metrics.series(durations, 'GET', route, '5xx'), buckets, 2);
  }
  const { http } = sampleOf({ ...noCollection, metrics: metrics.snapshot() });
  assert.deepEqual(http.ended, { '5xx': 2 });
  assert.equal(
    http.durations.counts.reduce((sum, count) => sum + count),
    1,
  );
});

test('each database has its own numbers, and an unavailable one has none', () => {
  const metrics = new Metrics();
  metrics.set('messenger_postgres_up', 1, 'primary');
  metrics.set('messenger_postgres_up', 0, 'standby 1');
  metrics.set('messenger_postgres_up', 1, 'standby 2');
  metrics.set('messenger_postgres_connections', 5, 'primary', 'idle');
  metrics.set('messenger_postgres_connections', 2, 'primary', 'active');
  metrics.set('messenger_postgres_dead_rows', 7, 'users');
  metrics.set('messenger_postgres_replication_state', 1, 'standby 2', 'streaming');
  metrics.set('messenger_postgres_replication_lag_bytes', 640, 'standby 2');
  const [primary, first, second] = sampleOf({ ...noCollection, metrics: metrics.snapshot() }).servers;
  assert.deepEqual([primary?.connections, primary?.active, primary?.deadRows, primary?.lagBytes], [7, 2, 7, undefined]);
  assert.deepEqual([first?.name, first?.up, first?.connections], ['standby 1', false, undefined]);
  assert.deepEqual([second?.receiver, second?.lagBytes, second?.deadRows], ['streaming', 640, undefined]);
});

test('a silent worker has no numbers', () => {
  const metrics = new Metrics();
  metrics.set('messenger_http_requests_in_flight', 3);
  metrics.set('messenger_process_memory_bytes', 1_000, 'worker', 'rss');
  metrics.set('messenger_process_memory_bytes', 2_000, 'worker', 'heap_used');
  metrics.set('messenger_event_loop_delay_seconds', 0.25, '100');
  const workers = [
    { worker: 1, pid: 11, metrics: metrics.snapshot() },
    { worker: 2, pid: 12, metrics: undefined },
  ];
  assert.deepEqual(sampleOf({ ...noCollection, workers }).workers.each, [
    { worker: 1, pid: 11, inFlight: 3, memoryBytes: 1_000, eventLoopDelaySeconds: 0.25 },
    { worker: 2, pid: 12 },
  ]);
});
