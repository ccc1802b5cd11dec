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

test('a standby is as late as the oldest sample that it lacks, and one that is ahead of all samples is not late', () => {
  lag.note(at(100));
  nowMs = 2_000;
  lag.note(at(200));
  nowMs = 5_000;
  assert.equal(lag.secondsOf(50), 5);
  assert.equal(lag.secondsOf(199), 3);
  assert.equal(lag.secondsOf(200), 0);
  assert.equal(lag.secondsOf(900), 0);
});

test('a primary that did not answer says nothing, and one that was restored from a backup begins anew', () => {
  lag.note(at(100));
  lag.note(undefined);
  nowMs = 1_000;
  lag.note(at(50));
  nowMs = 60_000;
  assert.equal(lag.secondsOf(50), 0);
  assert.equal(lag.secondsOf(49), 59);
});

test('a promoted primary begins anew, though its position is higher', () => {
  lag.note(at(100));
  nowMs = 10_000;
  lag.note(at(200, 2));
  nowMs = 15_000;
  assert.equal(lag.secondsOf(90), 5);
});
