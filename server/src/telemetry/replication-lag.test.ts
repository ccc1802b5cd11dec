import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { ReplicationLag } from './replication-lag.ts';

let nowMs = 0;
let lag: ReplicationLag;

beforeEach(() => {
  nowMs = 0;
  lag = new ReplicationLag({ now: () => nowMs });
});

test('a standby is as late as the oldest sample that it lacks, and one that is ahead of all samples is not late', () => {
  lag.note(100);
  nowMs = 2_000;
  lag.note(200);
  nowMs = 5_000;
  assert.equal(lag.secondsOf(50), 5);
  assert.equal(lag.secondsOf(199), 3);
  assert.equal(lag.secondsOf(200), 0);
  assert.equal(lag.secondsOf(900), 0);
});

test('a primary that did not answer says nothing, and one that was restored from a backup begins anew', () => {
  lag.note(100);
  lag.note(undefined);
  nowMs = 1_000;
  lag.note(50);
  nowMs = 60_000;
  assert.equal(lag.secondsOf(50), 0);
  assert.equal(lag.secondsOf(49), 59);
});
