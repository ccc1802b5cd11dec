import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sample } from '../../test/live-samples.ts';
import { figuresOf, quantileOf } from './figures.ts';

const quiet = figuresOf(sample(), sample({ atMs: 1_001_000 }));

test('figures are rates between two samples, per second', () => {
  const before = sample({}, { ended: { '2xx': 100, '5xx': 1 }, overloaded: 5 });
  const durations = { bounds: [0.01, 0.1, 1], counts: [80, 20, 0, 0] };
  const now = { ended: { '2xx': 280, '4xx': 10, '5xx': 11 }, overloaded: 9, inFlight: 7, durations };
  const reads = { standby: 90, primary_for_token: 10 };
  const figures = figuresOf(before, sample({ atMs: 1_002_000, reads }, now));
  assert.equal(figures.perSecond, 100);
  assert.deepEqual([figures.succeededPerSecond, figures.rejectedPerSecond, figures.failedPerSecond], [90, 5, 5]);
  assert.equal(figures.refusedPerSecond, 2);
  assert.equal(figures.errorPart, 0.05);
  assert.equal(figures.inFlight, 7);
  assert.equal(figures.byStandby, 0.9);
  assert.deepEqual(figures.lagSeconds, 0);
  assert.ok(Math.abs((figures.p50 ?? 0) - 0.00625) < 1e-9);
  assert.ok(Math.abs((figures.p95 ?? 0) - 0.0775) < 1e-9);
});

test('without requests there are no percentiles and no errors, and counters of a restarted server start at zero', () => {
  assert.deepEqual([quiet.p50, quiet.p99, quiet.byStandby, quiet.errorPart], [undefined, undefined, undefined, 0]);
  const fresh = figuresOf(sample({}, { ended: { '2xx': 900 } }), sample({ atMs: 1_001_000 }, { ended: { '2xx': 30 } }));
  assert.equal(fresh.perSecond, 30);
});

test('a percentile above the last bound of a histogram is that bound', () => {
  assert.equal(quantileOf([0.1, 1], [0, 0, 3], 0.5), 1);
  assert.equal(quantileOf([0.1, 1], [0, 0, 0], 0.5), undefined);
});

test("CPU, memory and open files are fractions of the machine's", () => {
  const { machine } = sample();
  const now = { ...machine, busySeconds: 3, idleSeconds: 1, ownCpuSeconds: 1, availableMemoryBytes: 250 };
  const openFiles = [
    { process: 'worker', open: 10, limit: 100 },
    { process: 'supervisor', open: 40, limit: 80 },
  ];
  const figures = figuresOf(sample(), sample({ atMs: 1_001_000, machine: { ...now, openFiles } }));
  const { machineCpu, ownCpu, machineMemory } = figures;
  assert.deepEqual([machineCpu, ownCpu, machineMemory, figures.openFiles], [0.75, 0.25, 0.75, 0.5]);
  assert.deepEqual([quiet.machineCpu, quiet.openFiles], [undefined, undefined], 'nothing was measured');
});
