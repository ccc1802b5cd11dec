import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Heartbeat } from './heartbeat.ts';

const limits = { everyMs: 1_000, maxMissed: 3, maxMissedAtStart: 10 };

test('a process that answers does not count as hung', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let asked = 0;
  const heartbeat: Heartbeat = new Heartbeat(
    limits,
    () => {
      asked += 1;
      heartbeat.answered();
    },
    () => assert.fail('it answers'),
  );
  heartbeat.serves();
  for (let second = 0; second < 60; second += 1) t.mock.timers.tick(1_000);
  assert.equal(asked, 60);
  heartbeat.stop();
});

test('a process that does not answer the last pings is hung, which is reported once', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let hung = 0;
  const heartbeat = new Heartbeat(
    limits,
    () => undefined,
    () => {
      hung += 1;
    },
  );
  heartbeat.serves();
  for (const expected of [0, 0, 0, 1, 1, 1]) {
    t.mock.timers.tick(1_000);
    assert.equal(hung, expected);
  }
  heartbeat.stop();
});

test('a late answer counts as an answer', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const heartbeat = new Heartbeat(
    limits,
    () => undefined,
    () => assert.fail('it had answered'),
  );
  heartbeat.serves();
  for (let second = 1; second <= 12; second += 1) {
    t.mock.timers.tick(1_000);
    if (second % 3 === 0) heartbeat.answered();
  }
  heartbeat.stop();
});

test('a starting process has a longer, but finite limit', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let hung = 0;
  const heartbeat = new Heartbeat(
    limits,
    () => undefined,
    () => {
      hung += 1;
    },
  );
  for (let second = 1; second <= 10; second += 1) t.mock.timers.tick(1_000);
  assert.equal(hung, 0);
  t.mock.timers.tick(1_000);
  assert.equal(hung, 1);
  heartbeat.stop();
});
