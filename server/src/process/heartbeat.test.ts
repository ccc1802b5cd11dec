import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Heartbeat } from './heartbeat.ts';

const limits = { everyMs: 1_000, maxMissed: 3, maxMissedAtStart: 10 };

interface Behaviour {
  readonly isServing?: boolean;
  /** Called at each ping with its number. */
  readonly onPing?: (ping: number, answer: () => void) => void;
}

/** Resolves with how often a process of this behaviour was reported as hung by the end of each second. */
function hungAfter(t: TestContext, seconds: number, { isServing = true, onPing }: Behaviour = {}): number[] {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let [pings, hung] = [0, 0];
  const heartbeat: Heartbeat = new Heartbeat(
    limits,
    () => onPing?.((pings += 1), () => heartbeat.answered()),
    () => (hung += 1),
  );
  if (isServing) heartbeat.serves();
  const reports = Array.from({ length: seconds }, () => {
    t.mock.timers.tick(1_000);
    return hung;
  });
  heartbeat.stop();
  return reports;
}

test('a process that answers is pinged every second, and does not count as hung', (t) => {
  let pings = 0;
  const reports = hungAfter(t, 60, {
    onPing: (ping, answer) => {
      pings = ping;
      answer();
    },
  });
  assert.deepEqual([pings, reports.at(-1)], [60, 0]);
});

test('a process that does not answer the last pings is hung, which is reported once', (t) => {
  assert.deepEqual(hungAfter(t, 6), [0, 0, 0, 1, 1, 1]);
});

test('a late answer counts as an answer', (t) => {
  const onPing: Behaviour['onPing'] = (ping, answer) => (ping % 3 === 0 ? answer() : undefined);
  assert.equal(hungAfter(t, 12, { onPing }).at(-1), 0);
});

test('a starting process has a longer, but finite limit', (t) => {
  assert.deepEqual(hungAfter(t, 11, { isServing: false }).slice(9), [0, 1]);
});
