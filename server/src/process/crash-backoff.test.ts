import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CrashBackoff } from './crash-backoff.ts';

const longest = (): number => 1;
const shortest = (): number => 0;

function delays(random: () => number, crashes: number): number[] {
  const backoff = new CrashBackoff(random);
  return Array.from({ length: crashes }, () => backoff.crashed(0));
}

test('the first crash restarts at once, then the delay doubles up to 30 s', () => {
  assert.deepEqual(delays(longest, 6), [0, 100, 200, 400, 800, 1_600]);
  assert.equal(delays(longest, 40).at(-1), 30_000);
});

test('half of each delay is jitter, so workers that crash together do not start together', () => {
  assert.deepEqual(delays(shortest, 4), [0, 50, 100, 200]);
  assert.equal(delays(shortest, 40).at(-1), 15_000);
});

test('the sixth crash without a minute of service in between exceeds the limit', () => {
  const backoff = new CrashBackoff(longest);
  for (let crash = 1; crash <= 5; crash += 1) backoff.crashed(59_999);
  assert.equal(backoff.isSpent, false);
  backoff.crashed(59_999);
  assert.equal(backoff.isSpent, true);
});

test('a minute of service resets the count of crashes', () => {
  const backoff = new CrashBackoff(longest);
  for (let crash = 1; crash <= 20; crash += 1) backoff.crashed(0);
  assert.equal(backoff.crashed(60_000), 0);
  assert.equal(backoff.isSpent, false);
});
