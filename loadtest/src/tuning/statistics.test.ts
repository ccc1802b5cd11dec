import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { median, medianRatio, rotate } from './statistics.ts';

describe('the median', () => {
  test('is the middle value, or the mean of the two middle ones', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 10, 2]), 3);
  });

  test('orders by value, not by digits', () => {
    assert.equal(median([100, 20, 3]), 20);
  });

  test('of an empty list is refused', () => {
    assert.throws(() => median([]), RangeError);
  });
});

describe('the median ratio', () => {
  test('compares within rounds: a slow round changes nothing', () => {
    assert.equal(medianRatio([2, 20, 2], [1, 10, 1]), 2);
  });

  test('refuses unpaired values and a base of zero', () => {
    assert.throws(() => medianRatio([1, 2], [1]), /pairs/u);
    assert.throws(() => medianRatio([1], [0]), /ratio to 0/u);
  });
});

test('with as many rounds as configurations, each is once at each position', () => {
  const values = ['a', 'b', 'c'];
  const rounds = values.map((_, round) => rotate(values, round));
  for (const place of values.keys()) assert.deepEqual(new Set(rounds.map((one) => one[place])), new Set(values));
  assert.deepEqual(rotate(values, 4), rotate(values, 1));
});
