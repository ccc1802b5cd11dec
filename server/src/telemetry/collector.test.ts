import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Collector, type CollectorOptions, type MeasuredWorker } from './collector.ts';
import type { Collection } from './collection.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import type { SlowStatement } from './slow-statements.ts';

/** A worker that has shed this number of requests, and has one in flight. */
function counted(total: number): Snapshot {
  const metrics = new Metrics();
  metrics.set('messenger_http_requests_refused_total', total, 'overloaded');
  metrics.set('messenger_http_requests_in_flight', 1);
  return metrics.snapshot();
}

/** The metrics of such a worker; undefined when it does not answer. */
function measured(id: number, metrics: Snapshot | undefined): MeasuredWorker {
  const measurement = metrics && { metrics, slowStatements: [] };
  return { id, worker: id, pid: 1_000 + id, measurement };
}

function totalOf({ metrics }: Collection): number | undefined {
  return metrics.messenger_http_requests_refused_total?.[0]?.values[0];
}

function inFlight({ metrics }: Collection): number | undefined {
  return metrics.messenger_http_requests_in_flight?.[0]?.values[0];
}

function create(
  measureWorkers: () => Promise<readonly MeasuredWorker[]>,
  options: Partial<CollectorOptions> = {},
): Collector {
  return new Collector({
    measureWorkers,
    measureSupervisor: () => ({}),
    measurePostgres: async () => ({}),
    clock: { now: () => 0 },
    wallMs: () => 42,
    ...options,
  });
}

test('counters of a dead worker stay in the totals, and its gauges do not', async () => {
  let alive: readonly MeasuredWorker[] = [measured(1, counted(10)), measured(2, counted(5))];
  const { collect } = create(async () => alive);
  assert.equal(totalOf(await collect()), 15);
  alive = [measured(2, counted(6))];
  const without = await collect();
  assert.equal(totalOf(without), 16);
  assert.equal(inFlight(without), 1);
  alive = [measured(2, counted(7)), measured(3, counted(1))];
  assert.equal(totalOf(await collect()), 18);
  alive = [];
  assert.equal(totalOf(await collect()), 18);
});

test('a silent worker stays in the totals, and is counted as silent', async () => {
  const silences: number[] = [];
  let snapshot: Snapshot | undefined = counted(10);
  const { collect } = create(async () => [measured(1, snapshot)], {
    measureSupervisor: (silent) => {
      silences.push(silent);
      return {};
    },
  });
  await collect();
  snapshot = undefined;
  const collection = await collect();
  assert.equal(totalOf(collection), 10);
  assert.equal(inFlight(collection), undefined);
  snapshot = counted(12);
  assert.equal(totalOf(await collect()), 12);
  assert.deepEqual(silences, [0, 1, 0]);
});

test('callers during a collection share the next one', async () => {
  let asked = 0;
  const gates: PromiseWithResolvers<void>[] = [];
  const { collect } = create(async () => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    asked += 1;
    const snapshot = counted(asked);
    await gate.promise;
    return [measured(1, snapshot)];
  });
  const first = collect();
  await Promise.resolve();
  const others = [collect(), collect(), collect()];
  for (let round = 0; round < 2; round += 1) {
    while (gates[round] === undefined) await Promise.resolve();
    gates[round]?.resolve();
  }
  assert.deepEqual([await first, ...(await Promise.all(others))].map(totalOf), [1, 2, 2, 2]);
  assert.equal(asked, 2);
});

test('a caller that accepts a collection half a second old starts no new one', async () => {
  let now = 0;
  let asked = 0;
  const { collect } = create(async () => [measured(1, counted((asked += 1)))], { clock: { now: () => now } });
  const first = await collect();
  assert.equal(first.atMs, 42);
  now = 500;
  assert.equal(await collect(500), first);
  now = 501;
  assert.notEqual(await collect(500), first);
  assert.notEqual(await collect(), first);
  assert.equal(asked, 3);
});

test('a failed collection does not prevent the next one', async () => {
  let fails = true;
  const { collect } = create(async () => [measured(1, counted(1))], {
    measurePostgres: async () => {
      if (fails) throw new Error('no');
      return {};
    },
  });
  await assert.rejects(collect(), /no/u);
  fails = false;
  assert.equal(totalOf(await collect()), 1);
});

test('each worker is reported separately, and the slow statements of all are merged, newest first', async () => {
  const slow = (atMs: number): SlowStatement => ({
    atMs,
    pool: 'read',
    statement: 'users.find',
    durationMs: 600,
    batchSize: 3,
    deadlineMs: 5_000,
    failed: false,
  });
  const telling = (worker: number, ...times: readonly number[]): MeasuredWorker => ({
    ...measured(worker, counted(worker)),
    measurement: { metrics: counted(worker), slowStatements: times.map(slow) },
  });
  const many = Array.from({ length: 20 }, (_, n) => 100 + n);
  const { collect } = create(async () => [telling(2, 10, 130), measured(3, undefined), telling(1, ...many)]);
  const { workers, slowStatements } = await collect();
  assert.deepEqual(
    workers.map(({ worker, pid, metrics }) => [worker, pid, metrics === undefined]),
    [
      [1, 1_001, false],
      [2, 1_002, false],
      [3, 1_003, true],
    ],
  );
  assert.deepEqual(
    slowStatements.map(({ atMs }) => atMs),
    [130, ...many.toReversed().slice(0, 19)],
  );
});
