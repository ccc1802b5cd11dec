import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Distribution } from './distribution.ts';
import { mergeSeconds, type MeasuredSecond } from './outcome.ts';
import { reportPhases } from './phase-report.ts';

function secondOf(second: number, ms: number, failed = 0): MeasuredSecond {
  const latencies = new Distribution();
  for (let index = 0; index < 10; index++) latencies.add(ms);
  return mergeSeconds(second, [{ second, failed, refused: 0, activeUsers: 0, latencies: latencies.pack(), cpuMs: 0 }]);
}

test('the latencies of quiet and busy phases are separate', () => {
  const timeline = [secondOf(0, 1), secondOf(1, 1), secondOf(2, 50, 3), secondOf(3, 2), secondOf(4, 8)];
  const phases = [
    { users: 20, seconds: 2 },
    { users: 90, seconds: 1 },
    { users: 10, seconds: 1 },
  ];
  const [first, busy, last] = reportPhases(phases, timeline);
  assert.partialDeepStrictEqual(first, { fromSecond: 0, toSecond: 2, users: 20, count: 20, failed: 0, maxMs: 1 });
  assert.partialDeepStrictEqual(busy, { fromSecond: 2, toSecond: 3, count: 10, failed: 3, maxMs: 50 });
  assert.partialDeepStrictEqual(last, { fromSecond: 3, toSecond: 4, count: 20, maxMs: 8 });
  assert.ok(first !== undefined && first.p99Ms < 1.1, 'the busy second is not in it');
});
