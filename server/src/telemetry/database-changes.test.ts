import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DatabaseChanges } from './database-changes.ts';
import type { LiveServer } from './live-sample.ts';

const server = (name: string, startedSeconds: number, timeline = 1): LiveServer => ({
  name,
  up: true,
  startedSeconds,
  timeline,
});
const pair = [server('primary', 100), server('standby', 200)];

function changesOf(...samples: readonly (readonly LiveServer[])[]): readonly string[] {
  const changes = new DatabaseChanges();
  return samples.flatMap((servers) => changes.follow(servers).map(({ text }) => text));
}

test('a restart between two samples is detected, also when the server was unavailable in between', () => {
  const restarted = [server('primary', 150), server('standby', 200)];
  assert.deepEqual(changesOf(pair, pair, restarted, restarted), ['Primary was restarted, or recovered from a crash']);
  const away = [{ name: 'primary', up: false }, server('standby', 200)];
  assert.equal(changesOf(pair, away, restarted).length, 1);
});

test('a promotion does not count as a restart of the renamed servers', () => {
  const promoted = [server('primary', 200, 2), server('standby', 100, 2)];
  assert.deepEqual(changesOf(pair, promoted), []);
  const restored = [server('primary', 300, 1), server('standby', 100, 2)];
  assert.deepEqual(changesOf(pair, promoted, restored), [
    'The primary is on timeline 1, after 2: a backup was restored',
  ]);
});

test('added and removed servers are not restarts', () => {
  assert.deepEqual(changesOf(pair, pair.slice(0, 1), pair), []);
});
