import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RestartBudget } from './restart-budget.ts';

test('the first crash restarts at once, the next ones wait twice as long each', () => {
  const budget = new RestartBudget({ now: () => 0 });
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => budget.crashed()),
    [0, 100, 200, 400, 800],
  );
});

test('more crashes than the budget within the window are refused', () => {
  const budget = new RestartBudget({ now: () => 0 });
  for (let crash = 0; crash < 5; crash += 1) assert.notEqual(budget.crashed(), undefined);
  assert.equal(budget.crashed(), undefined);
});

test('crashes older than the window are forgiven', () => {
  let now = 0;
  const budget = new RestartBudget({ now: () => now });
  for (let crash = 0; crash < 20; crash += 1) {
    assert.equal(budget.crashed(), 0);
    now += 60_000;
  }
});
