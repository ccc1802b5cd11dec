import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FollowCheck } from './follow-check.ts';

const cutOff = { isActive: false, walStatus: 'reserved' };

function receiverSays(text: string): Parameters<FollowCheck['hear']>[0] {
  return { severity: 'FATAL', backend: 'walreceiver', sqlstate: 'XX000', text };
}

/** The results of `checks` checks, between which the standby's receiver reports `text`. */
function judge(text: string, checks: number, slot = cutOff): (string | undefined)[] {
  const check = new FollowCheck();
  return Array.from({ length: checks }, () => {
    check.hear(receiverSays(text));
    return check.judge(slot);
  });
}

test('a lost slot alone means that the standby cannot follow', () => {
  assert.match(new FollowCheck().judge({ isActive: false, walStatus: 'lost' }) ?? '', /no longer has the WAL/);
});

for (const complaint of [
  'requested WAL segment 000000010000000000000003 has already been removed',
  'highest timeline 1 of the primary is behind recovery timeline 2',
  'requested starting point 0/5000000 is ahead of the WAL flush position of this server 0/4000000',
  'database system identifier differs between the primary and standby',
  'could not start WAL streaming: ERROR:  replication slot "messenger_standby" does not exist',
])
  test(`a standby that fails for three checks with "${complaint.slice(0, 40)}…" cannot follow`, () => {
    assert.deepEqual(judge(complaint, 3), [undefined, undefined, complaint]);
  });

for (const passing of [
  'streaming replication receiver "messenger-standby" could not connect to the primary server: connection refused',
  'terminating walreceiver process due to administrator command',
  'could not receive data from WAL stream: server closed the connection unexpectedly',
  'could not start WAL streaming: ERROR:  replication slot "messenger_standby" is active for PID 42',
  'could not write to WAL segment 000000010000000000000003 at offset 0, length 8192: No space left on device',
  'could not create file "pg_wal/000000010000000000000003": Read-only file system',
])
  test(`a standby is not rebuilt for "${passing.slice(-40)}"`, () => {
    assert.deepEqual(new Set(judge(passing, 10)), new Set([undefined]));
  });

test('a streaming standby is not rebuilt, whatever its receiver reported before', () => {
  assert.deepEqual(judge('something bad', 5, { ...cutOff, isActive: true }), Array(5).fill(undefined));
});

test('an error counts once: only new ones show that the standby still fails', () => {
  const check = new FollowCheck();
  check.hear(receiverSays('something bad'));
  assert.deepEqual(
    [check.judge(cutOff), check.judge(cutOff), check.judge(cutOff), check.judge(cutOff)],
    Array(4).fill(undefined),
  );
});

test('failures before and after an outage of the primary are not added up', () => {
  const check = new FollowCheck();
  const fail = (): string | undefined => {
    check.hear(receiverSays('something bad'));
    return check.judge(cutOff);
  };
  fail();
  fail();
  check.reset();
  assert.deepEqual([fail(), fail()], [undefined, undefined]);
});

test('a standby with a full disk has that fault until it streams without the error', () => {
  const check = new FollowCheck();
  const faults: unknown[] = [];
  const look = (isActive: boolean): void => {
    check.judge({ isActive, walStatus: 'reserved' });
    faults.push(check.fault);
  };
  check.hear(receiverSays('could not write to file "pg_wal/xlogtemp.1": No space left on device'));
  look(true);
  look(false);
  look(true);
  assert.deepEqual(faults, ['disk_full', 'disk_full', undefined]);
});
