import assert from 'node:assert/strict';
import { test } from 'node:test';

import { explainLimit, search, type Capacity, type CapacityStep } from './capacity.ts';

const never = new AbortController().signal;

function upTo(limit: number, tried: number[] = []): (rate: number) => Promise<CapacityStep> {
  return async (usersPerSecond) => {
    tried.push(usersPerSecond);
    const verdict = usersPerSecond <= limit ? 'held' : 'missed';
    return { usersPerSecond, requestsPerSecond: 0, p99Ms: 0, failed: 0, systemCpuPercent: undefined, verdict };
  };
}

test('the rate doubles until it is missed, then the gap is bisected', async () => {
  const tried: number[] = [];
  const { usersPerSecond } = await search(50, never, upTo(700, tried));
  assert.deepEqual(tried, [50, 100, 200, 400, 800, 566, 673, 734, 703]);
  assert.equal(usersPerSecond, 673);
});

test('a coarser search ends earlier', async () => {
  const tried: number[] = [];
  await search(50, never, upTo(700, tried), 1.19);
  assert.deepEqual(tried, [50, 100, 200, 400, 800, 566, 673]);
});

test('a first rate that is too high is halved', async () => {
  assert.equal((await search(64, never, upTo(10))).usersPerSecond, 10);
});

test('the search ends if every rate is missed, or none', async () => {
  const tried: number[] = [];
  assert.equal((await search(50, never, upTo(0, tried))).usersPerSecond, 0);
  assert.deepEqual(tried, [50, 25, 12, 6, 3, 1]);
  assert.equal((await search(1, never, upTo(Infinity))).steps.length, 15);
});

function ended(missed: Partial<CapacityStep>): Capacity {
  const step = { requestsPerSecond: 0, p99Ms: 4, failed: 0, systemCpuPercent: 15, verdict: 'held' } as const;
  return {
    usersPerSecond: 33,
    steps: [
      { ...step, usersPerSecond: 33 },
      { ...step, usersPerSecond: 40, verdict: 'missed', ...missed },
    ],
  };
}

test("a limit other than the server's CPU is reported with its possible causes", () => {
  assert.match(
    explainLimit(ended({ p99Ms: 6.4, systemCpuPercent: 20 }), 2) ?? '',
    /^At 40 users\/s .* used 20 % of one core, of 2 cores/u,
  );
  assert.match(explainLimit(ended({ verdict: 'generator saturated' }), 2) ?? '', /the generator was the limit/u);
  assert.equal(explainLimit(ended({ systemCpuPercent: 150 }), 2), undefined);
  assert.equal(explainLimit(ended({ failed: 3 }), 2), undefined, 'refusals are the limit of the server');
  assert.equal(explainLimit({ usersPerSecond: 33, steps: [] }, 2), undefined);
});
