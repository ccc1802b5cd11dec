import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Distribution } from './distribution.ts';
import type { MeasuredSecond } from './outcome.ts';
import { mergeSeconds } from './outcome.ts';
import { saturationReasons } from './saturation.ts';

function lateness(ms: number): Distribution {
  const distribution = new Distribution();
  for (let index = 0; index < 100; index++) distribution.add(index < 97 ? 0.5 : ms);
  return distribution;
}

function secondsWith(...shares: readonly number[]): MeasuredSecond[] {
  const latencies = new Distribution().pack();
  return shares.map((share, second) =>
    mergeSeconds(second, [{ second, failed: 0, refused: 0, activeUsers: 0, latencies, cpuMs: share * 1000 }]),
  );
}

test('a generator without delays is not saturated, also with a busy second', () => {
  assert.deepEqual(saturationReasons({ lateStarts: lateness(9), timeline: secondsWith(0.1, 1, 1, 0.5, 0.5, 0.5) }), []);
});

test('a generator that sent one request in a hundred late is saturated', () => {
  const [reason] = saturationReasons({ lateStarts: lateness(11), timeline: [] });
  assert.match(reason ?? '', /sent 11\.\d ms late/u);
});

test('a generator that used up its core for five seconds is saturated', () => {
  const [reason] = saturationReasons({ lateStarts: lateness(1), timeline: secondsWith(0.1, 1, 1, 1, 0.9, 1, 0.1) });
  assert.match(reason ?? '', /98 % of a core/u);
});
