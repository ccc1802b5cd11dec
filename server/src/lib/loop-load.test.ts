import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { monotonicClock } from './clock.ts';
import { LoopLoad } from './loop-load.ts';

test('a loop that works is busy, and one that waits is not', async () => {
  const load = new LoopLoad(monotonicClock);
  await sleep(200);
  assert.ok(load.utilization < 0.5, `waiting: ${load.utilization}`);
  for (const end = performance.now() + 200; performance.now() < end;);
  await sleep(1);
  assert.ok(load.utilization > 0.5, `working: ${load.utilization}`);
});
