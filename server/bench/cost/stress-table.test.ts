import assert from 'node:assert/strict';
import { test } from 'node:test';

import { renderStress, type StressReport } from './stress-table.ts';

function report(serverCpuMs: number, p99s: readonly number[]): StressReport {
  return {
    total: { count: 1_000, failed: 0, p50Ms: 1, p99Ms: 9 },
    phases: p99s.map((p99Ms, index) => ({ fromSecond: index, toSecond: index + 1, p99Ms })),
    system: { serverCpuMs, databasesCpuMs: 100 },
    generator: { cpuMs: 50, lateStartsP99Ms: 1 },
  };
}

test('a stress run is compared with another checkout by phase, CPU including the databases', () => {
  const text = renderStress([
    { name: 'messenger', reports: [report(100, [4, 30, 5])] },
    { name: 'beside', reports: [report(300, [5, 70, 10])] },
  ]);
  assert.match(text, /^CPU µs per request +200 +400 +0\.50 +≤ 0\.5 +reached$/mu);
  assert.match(text, /^p99 ms, first quiet phase +4\.0 +5\.0 +0\.80 +≤ 0\.6 +missed$/mu);
  assert.match(text, /^p99 ms, full phase +30\.0 +70\.0 +0\.43 +≤ 0\.5 +reached$/mu);
});

test('a stress run without another checkout shows only its figures', () => {
  assert.match(
    renderStress([{ name: 'messenger', reports: [report(100, [4, 30, 5])] }]),
    /^p99 ms, full phase +30\.0$/mu,
  );
});
