import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Distribution } from './distribution.ts';

function distributionOf(times: readonly number[]): Distribution {
  const distribution = new Distribution();
  for (const ms of times) distribution.add(ms);
  return distribution;
}

const times = fc.array(fc.double({ min: 0.01, max: 60_000, noNaN: true }), { minLength: 1 });

test('percentiles are within 1 % of the sorted times; count, minimum and maximum are exact', () => {
  fc.assert(
    fc.property(times, fc.constantFrom(50, 75, 95, 99), (all, percent) => {
      const distribution = distributionOf(all);
      const sorted = all.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0;
      const found = distribution.percentileMs(percent);
      assert.ok(Math.abs(found - exact) <= exact * 0.01 + 0.002, `${found} instead of ${exact}`);
      assert.deepEqual(
        [distribution.count, distribution.minMs, distribution.maxMs],
        [all.length, sorted[0], sorted.at(-1)],
      );
    }),
  );
});

test('packed and merged parts equal the whole', () => {
  fc.assert(
    fc.property(times, times, (some, others) => {
      const merged = distributionOf([]).merge(distributionOf(some).pack()).merge(distributionOf(others).pack());
      const whole = distributionOf([...some, ...others]);
      for (const percent of [1, 50, 99]) assert.equal(merged.percentileMs(percent), whole.percentileMs(percent));
      assert.deepEqual([...merged.buckets()], [...whole.buckets()]);
      assert.ok(Math.abs(merged.stdDevMs - whole.stdDevMs) <= 1e-6 * (1 + whole.stdDevMs));
      assert.equal(merged.minMs, whole.minMs);
    }),
  );
});

test('mean and standard deviation are those of all times', () => {
  const { meanMs, stdDevMs, under100Ms, under500Ms } = distributionOf([2, 4, 4, 4, 5, 5, 7, 9, 100, 500]);
  assert.equal(meanMs, 64);
  assert.equal(Math.round(stdDevMs * 1000) / 1000, 148.078);
  assert.deepEqual([under100Ms, under500Ms], [8, 1]);
});
