import assert from 'node:assert/strict';
import { test } from 'node:test';

import { valueOf, valuesOf } from '../../test/metric-values.ts';
import { countStatements, readDatabases } from './database-metrics.ts';
import { metricTable } from './metric-table.ts';
import { Metrics } from './metrics.ts';

const noOutcomes = { standby: 0, waited: 0, primaryForAbsence: 0, primaryForToken: 0, primaryForDoubt: 0 };

test('each batch is counted by its size, and by the wait of its first call in seconds', () => {
  const metrics = new Metrics();
  const observer = countStatements(metrics);
  for (const size of [1, 3, 4, 500]) observer.batchSent({ pool: 'read', name: 'users.find', size, waitMs: 250 });
  const { buckets } = metricTable.messenger_db_batch_size;
  const counts = buckets.map((bound) => (bound === 1 ? 1 : bound === 4 ? 2 : 0));
  assert.deepEqual(valuesOf(metrics, 'messenger_db_batch_size', 'read', 'users.find'), [...counts, 1, 508]);
  assert.equal(valuesOf(metrics, 'messenger_db_batch_wait_seconds', 'read', 'users.find')?.at(-1), 1);
});

test('reads are counted by the server that answered', () => {
  const metrics = new Metrics();
  const outcomes = { standby: 1, waited: 2, primaryForAbsence: 3, primaryForToken: 4, primaryForDoubt: 5 };
  readDatabases(metrics, { pools: [], batches: [], reads: { outcomes } });
  const reads = Object.entries({
    standby: 1,
    standby_after_wait: 2,
    primary_for_absence: 3,
    primary_for_token: 4,
    primary_for_doubt: 5,
  });
  for (const [who, count] of reads) assert.equal(valueOf(metrics, 'messenger_reads_total', who), count, who);
});

test('pools of one role are summed, and calls waiting for a batch count as waiting', () => {
  const metrics = new Metrics();
  const pools = [
    { role: 'read', connections: { open: 5, idle: 2, waiting: 1 } },
    { role: 'read', connections: { open: 1, idle: 1, waiting: 0 } },
    { role: 'write', connections: { open: 7, idle: 3, waiting: 4 } },
  ] as const;
  const loads = [
    { name: 'users.find', waiting: 10, inFlight: 2 },
    { name: 'users.list', waiting: 20, inFlight: 2 },
  ];
  // Twice: the second state replaces the first.
  for (let n = 0; n < 2; n += 1)
    readDatabases(metrics, { pools, batches: [{ role: 'read', loads }], reads: { outcomes: noOutcomes } });
  const connections = (pool: string, state: string): unknown =>
    valueOf(metrics, 'messenger_db_connections', pool, state);
  assert.deepEqual([connections('read', 'open'), connections('read', 'idle')], [6, 3]);
  assert.deepEqual([connections('write', 'open'), connections('write', 'idle')], [7, 3]);
  assert.equal(valueOf(metrics, 'messenger_db_waiting', 'read'), 31);
  assert.equal(valueOf(metrics, 'messenger_db_waiting', 'write'), 4);
});
