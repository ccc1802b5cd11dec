import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { ReplicationLag } from './replication-lag.ts';

let nowMs = 0;
let lag: ReplicationLag;
const at = (position: number, timeline = 1) => ({ position, timeline });

beforeEach(() => {
  nowMs = 0;
  lag = new ReplicationLag({ now: () => nowMs });
});

test('lag is the age of the oldest sample that the standby has not replayed, and zero beyond all samples', () => {
  lag.note(at(100));
  nowMs = 2_000;
  lag.note(at(200));
  nowMs = 5_000;
  assert.equal(lag.secondsOf(50), 5);
  assert.equal(lag.secondsOf(199), 3);
  assert.equal(lag.secondsOf(200), 0);
  assert.equal(lag.secondsOf(900), 0);
});

test('a missing sample of the primary is ignored, and a primary restored from a backup starts over', () => {
  lag.note(at(100));
  lag.note(undefined);
  nowMs = 1_000;
  lag.note(at(50));
  nowMs = 60_000;
  assert.equal(lag.secondsOf(50), 0);
  assert.equal(lag.secondsOf(49), 59);
});

test('a promoted primary starts over, although its position is higher', () => {
  lag.note(at(100));
  nowMs = 10_000;
  lag.note(at(200, 2));
  nowMs = 15_000;
  assert.equal(lag.secondsOf(90), 5);
});
