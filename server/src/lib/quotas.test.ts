import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Quotas } from './quotas.ts';

function createQuotas() {
  const clock = { time: 0, now: () => clock.time };
  return { quotas: new Quotas(2, 1_000, clock), clock };
}

test('each key has its quota, which returns when the window ends', () => {
  const { quotas, clock } = createQuotas();
  assert.deepEqual(quotas.take('a'), { isExceeded: false, remaining: 1, resetMs: 1_000 });
  clock.time = 400;
  assert.deepEqual(quotas.take('a'), { isExceeded: false, remaining: 0, resetMs: 600 });
  assert.deepEqual(quotas.take('a'), { isExceeded: true, remaining: 0, resetMs: 600 });
  assert.equal(quotas.take('b').isExceeded, false);
  clock.time = 999;
  assert.equal(quotas.isUsedUp('a'), true);
  clock.time = 1_000;
  assert.equal(quotas.isUsedUp('a'), false);
  assert.deepEqual(quotas.take('a'), { isExceeded: false, remaining: 1, resetMs: 1_000 });
});

test('refused calls do not extend the window', () => {
  const { quotas, clock } = createQuotas();
  for (clock.time = 0; clock.time < 1_000; clock.time += 10) quotas.take('a');
  assert.equal(quotas.take('a').isExceeded, false);
});

test('a window lasts until its end, whatever other keys do meanwhile', () => {
  const { quotas, clock } = createQuotas();
  quotas.take('early');
  for (clock.time = 990; clock.time < 1_980; clock.time += 10) {
    quotas.take(`other ${clock.time}`);
    if (clock.time === 990) for (const _ of [1, 2]) quotas.take('late');
    assert.equal(quotas.isUsedUp('late'), true, `at ${clock.time}`);
  }
});

test('keys of ended windows are forgotten', () => {
  const { quotas, clock } = createQuotas();
  const before = process.memoryUsage().heapUsed;
  for (clock.time = 0; clock.time < 400_000; clock.time += 1) quotas.take(`key ${clock.time}`);
  assert.ok(process.memoryUsage().heapUsed - before < 20e6, '400,000 keys would take more than 40 MB');
});
