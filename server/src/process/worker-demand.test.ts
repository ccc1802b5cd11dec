import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WorkerDemand, type Measured } from './worker-demand.ts';

const load = (cpu: number, connections = 10): Measured => ({ cpu, connections, maxConnections: 100 });

/** The number of workers wanted after these loads were measured this often. */
function wantedAfter(demand: WorkerDemand, times: number, ...loads: readonly Measured[]): number {
  for (let time = 0; time < times; time += 1) demand.measured(loads);
  return demand.wanted;
}

test('one worker is wanted until it is busy twice in a row', () => {
  const demand = new WorkerDemand(4);
  assert.equal(wantedAfter(demand, 100, load(0.8)), 1);
  assert.equal(wantedAfter(demand, 1, load(0.9)), 1);
  assert.equal(wantedAfter(demand, 1, load(0.5)), 1);
  assert.equal(wantedAfter(demand, 2, load(0.9)), 2);
});

test('a worker that has half of its connections open is busy', () => {
  const demand = new WorkerDemand(2);
  assert.equal(wantedAfter(demand, 9, load(0.1, 50)), 1);
  assert.equal(wantedAfter(demand, 2, load(0.1, 51)), 2);
});

test('further workers are wanted while all that accept connections are busy, up to their number', () => {
  const demand = new WorkerDemand(3);
  assert.equal(wantedAfter(demand, 9, load(1)), 2, 'the second has not begun to accept');
  assert.equal(wantedAfter(demand, 2, load(1), load(0.4)), 2, 'the second has time');
  assert.equal(wantedAfter(demand, 2, load(1), load(0.9)), 3);
  assert.equal(wantedAfter(demand, 9, load(1), load(1), load(1)), 3);
});

test('one worker less is wanted when the others would have time for 80 measurements', () => {
  const demand = new WorkerDemand(2);
  wantedAfter(demand, 2, load(1));
  assert.equal(wantedAfter(demand, 79, load(0.25), load(0.25)), 2);
  assert.equal(wantedAfter(demand, 1, load(0.3), load(0.3)), 2);
  assert.equal(wantedAfter(demand, 79, load(0.25), load(0.25)), 2);
  assert.equal(wantedAfter(demand, 1, load(0.25), load(0.25)), 1);
  assert.equal(wantedAfter(demand, 100, load(0)), 1);
});

test('connections count, too: one worker must have room for all', () => {
  const demand = new WorkerDemand(2);
  wantedAfter(demand, 2, load(0, 60));
  assert.equal(wantedAfter(demand, 100, load(0, 15), load(0, 15)), 2);
  assert.equal(wantedAfter(demand, 80, load(0, 15), load(0, 10)), 1);
});

test('a worker that does not respond causes no demand by itself: the supervisor replaces it', () => {
  const demand = new WorkerDemand(2);
  assert.equal(wantedAfter(demand, 9, undefined), 1);
  assert.equal(wantedAfter(demand, 2, undefined, load(1)), 2);
});

test('the busiest worker gives half of the difference to one that has time, and then waits for the effect', () => {
  const demand = new WorkerDemand(3);
  const loads = [undefined, load(0.2, 4), load(1, 60)];
  assert.deepEqual(demand.measured(loads).shed, { index: 2, connections: 24 });
  for (let time = 0; time < 3; time += 1) assert.equal(demand.measured(loads).shed, undefined);
  assert.deepEqual(demand.measured(loads).shed, { index: 2, connections: 24 });
});

test('connections stay where they are when no worker is busy, and when all are', () => {
  for (const loads of [[load(0.8), load(0)], [load(0.9), load(0.7)], [load(1)], [undefined]])
    assert.equal(new WorkerDemand(2).measured(loads).shed, undefined);
});
