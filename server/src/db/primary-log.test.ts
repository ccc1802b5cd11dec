import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { PrimaryLog } from './primary-log.ts';
import type { Position } from './position.ts';

const keepMs = 10_000;
const clock = { nowMs: 0 };
let log: PrimaryLog;

beforeEach(() => {
  clock.nowMs = 0;
  log = new PrimaryLog({ now: () => clock.nowMs }, keepMs);
});

function at(lsn: number, timeline = 1): Position {
  return { timeline, lsn: BigInt(lsn) };
}

/** Records positions of the primary at these milliseconds. */
function note(...samples: readonly (readonly [ms: number, position: Position])[]): void {
  for (const [ms, position] of samples) {
    clock.nowMs = ms;
    log.add(position);
  }
}

/** The minimum of a standby's lag, in ms. */
function lagOf(position: Position | undefined): number {
  return log.lagOf(position).leastMs;
}

test('lag is the age of the oldest WAL that the standby lacks', () => {
  note([0, at(1)], [100, at(2)], [200, at(3)]);
  clock.nowMs = 1_000;
  assert.equal(lagOf(at(3)), 0);
  assert.equal(lagOf(at(2)), 800);
  assert.equal(lagOf(at(1)), 900);
  assert.equal(lagOf(at(0)), 1_000);
  assert.equal(lagOf(undefined), 1_000);
});

test("an idle primary's standby has no lag", () => {
  note([0, at(1)], [5_000, at(1)]);
  clock.nowMs = 1_000_000;
  assert.equal(lagOf(at(1)), 0);
});

test('the last write before an idle period keeps its age', () => {
  note([0, at(1)], [5_000, at(1)]);
  clock.nowMs = 6_000;
  assert.equal(lagOf(at(0)), 6_000);
});

test('a write after an idle period does not reduce the lag of older missing WAL', () => {
  note([0, at(1)], [60_000, at(2)], [60_250, at(3)]);
  assert.equal(lagOf(at(0)), 60_250);
  assert.equal(lagOf(at(1)), 250);
});

test('samples of a busy primary are kept as long as the lag limit requires', () => {
  note(...Array.from({ length: 1_000 }, (_, n) => [n * 250, at(n)] as const));
  assert.ok(lagOf(undefined) >= keepMs);
  assert.ok(lagOf(undefined) <= keepMs + 250);
  assert.equal(lagOf(at(999)), 0);
});

test('after a promotion, a following standby lacks nothing of the old timeline', () => {
  note([0, at(100)], [250, at(200)], [500, at(150, 2)]);
  clock.nowMs = 60_000;
  assert.equal(lagOf(at(150, 2)), 0);
  assert.equal(lagOf(at(200)), 59_500, 'one that does not follow is late');
});

test('a standby that lacks WAL from before the first sample has unknown lag', () => {
  note([0, at(10)], [250, at(20)]);
  clock.nowMs = 400;
  assert.deepEqual(log.lagOf(at(9)), { leastMs: 400, mostMs: Number.POSITIVE_INFINITY });
  assert.deepEqual(log.lagOf(at(10)), { leastMs: 150, mostMs: 150 });
  assert.deepEqual(log.lagOf(at(20)), { leastMs: 0, mostMs: 0 });
});

test('WAL written in a gap of the samples may be as old as the gap', () => {
  note([0, at(10)], [250, at(10)], [20_250, at(20)]);
  clock.nowMs = 20_300;
  assert.deepEqual(log.lagOf(at(19)), { leastMs: 50, mostMs: 20_050 });
});

test('after a promotion, lag is unknown until the standby has the first position of the new primary', () => {
  note([0, at(10)], [250, at(20, 2)]);
  assert.equal(log.lagOf(at(19, 2)).mostMs, Number.POSITIVE_INFINITY);
  assert.equal(log.lagOf(at(20, 2)).mostMs, 0);
});
