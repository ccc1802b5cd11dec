import assert from 'node:assert/strict';
import { test } from 'node:test';

import { median, medianRatio, quantile } from './statistics.ts';

test('the median is independent of the order', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), /without values/u);
});

test('a quantile is a measured value that the share does not exceed', () => {
  const values = Array.from({ length: 200 }, (_, n) => 200 - n);
  assert.equal(quantile(values, 0.99), 198);
  assert.equal(quantile(values, 1), 200);
  assert.equal(quantile(values, 0), 1);
  assert.throws(() => quantile([], 0.5), /without values/u);
});

test('a ratio compares values of the same round', () => {
  // The machine was five times as slow in the second round; the medians alone would give 10 ÷ 5.
  assert.equal(medianRatio([20, 4, 10], [5, 1, 10]), 4);
  assert.throws(() => medianRatio([1, 2], [1]), /2 rounds on one side, 1 on the other/u);
});
