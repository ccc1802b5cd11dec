import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pace } from './pace.ts';

/** A pace under this pressure, after a batch of this duration. */
function paced(pressure: number, tookMs: number): { pace: Pace; pass: (ms: number) => void } {
  let now = 0;
  const pace = new Pace({ now: () => now }, () => pressure);
  const leftAt = pace.left();
  now += tookMs;
  pace.took(leftAt);
  return { pace, pass: (ms) => (now += ms) };
}

test('under full pressure the interval is forty times the fastest batch', () => {
  const { pace, pass } = paced(1, 0.25);
  assert.equal(pace.waitMs, 10 - 0.25);
  pass(8);
  assert.equal(pace.waitMs, 1.75);
  pass(1.75);
  assert.equal(pace.waitMs, 0);
});

test('a worker that is idle for 70 % of its time does not delay calls, and above that the interval is proportional', () => {
  assert.equal(paced(0, 0.25).pace.waitMs, 0);
  assert.equal(paced(0.3, 0.25).pace.waitMs, 0);
  assert.ok(Math.abs(paced(0.425, 0.25).pace.waitMs - 4.75) < 1e-9);
  assert.equal(paced(0.55, 0.25).pace.waitMs, 9.75);
});

test('a slow database does not make calls wait longer than 12 ms', () => {
  assert.equal(paced(1, 5).pace.waitMs, 12 - 5);
});

test('the first batch does not wait', () => {
  assert.equal(new Pace({ now: () => 0 }, () => 1).waitMs, 0);
});

test('one slow batch among fast ones changes nothing, and a permanently slower database is detected', () => {
  const { pace, pass } = paced(1, 0.125);
  const send = (tookMs: number): void => {
    const leftAt = pace.left();
    pass(tookMs);
    pace.took(leftAt);
  };
  send(3);
  pace.left();
  assert.ok(pace.waitMs < 5.1);
  for (let n = 0; n < 100; n += 1) send(0.25);
  pace.left();
  assert.equal(pace.waitMs, 10);
});
