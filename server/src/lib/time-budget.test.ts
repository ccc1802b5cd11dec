import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TimeBudget } from './time-budget.ts';

function createBudget(share: number, burstMs: number) {
  const clock = { time: 0, now: () => clock.time };
  return { budget: new TimeBudget(share, burstMs, clock), clock };
}

/** Works 25 ms at a time, with the pauses of the budget. Returns when each piece began. */
function work(pieces: number, { budget, clock }: ReturnType<typeof createBudget>): number[] {
  return Array.from({ length: pieces }, () => {
    const began = clock.time;
    clock.time += 25;
    clock.time += Math.round(budget.spend(25));
    return began;
  });
}

test('work that goes on takes its share of the time', () => {
  const began = work(100, createBudget(0.2, 25));
  assert.ok(Math.abs((began.at(-1) ?? 0) - 99 * 125) < 130, String(began.at(-1)));
});

test('a burst needs no pause, and time without work allows another one', () => {
  const created = createBudget(0.2, 100);
  assert.deepEqual(work(4, created), [0, 25, 50, 75]);
  work(50, created);
  created.clock.time += 1_000_000;
  const [first = 0, second, third, fourth] = work(4, created);
  assert.deepEqual([second, third, fourth], [first + 25, first + 50, first + 75]);
});
