import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RebuildSchedule } from './rebuild-schedule.ts';

test('the first rebuild is due at once, further ones with growing delays, without limit', () => {
  let now = 1_000_000;
  const schedule = new RebuildSchedule({ now: () => now });
  const waits: number[] = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    const since = now;
    while (!schedule.isDue()) now += 500;
    waits.push(now - since);
    schedule.attempted();
  }
  assert.deepEqual(waits.slice(0, 5), [0, 1_000, 2_000, 4_000, 8_000]);
  assert.deepEqual(waits.slice(-2), [300_000, 300_000]);
});

test('a rebuild long after the previous one counts as the first', () => {
  let now = 0;
  const schedule = new RebuildSchedule({ now: () => now });
  for (let attempt = 0; attempt < 8; attempt += 1) schedule.attempted();
  now += 3_600_000;
  schedule.attempted();
  now += 1_000;
  assert.equal(schedule.isDue(), true);
});
