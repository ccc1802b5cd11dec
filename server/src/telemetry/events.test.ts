import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Events, type Condition } from './events.ts';

const away: Condition = { key: 'away primary', kind: 'database', level: 'bad', text: 'Primary does not answer' };

function create(): { readonly events: Events; readonly at: (ms: number) => Events } {
  let now = 0;
  const events = new Events(() => now);
  return {
    events,
    at: (ms) => {
      now = ms;
      return events;
    },
  };
}

test('an instant is one event, and a condition is one event from its start to its end', () => {
  const { events, at } = create();
  at(1_000).record({ kind: 'worker', level: 'warn', text: 'Worker 1 ended' });
  at(2_000).follow([away]);
  at(3_000).follow([away]);
  at(4_000).follow([]);
  at(5_000).follow([]);
  assert.deepEqual(events.since(0), [
    { id: 1, atMs: 1_000, endedMs: 1_000, kind: 'worker', level: 'warn', text: 'Worker 1 ended' },
    { id: 2, atMs: 2_000, endedMs: 4_000, kind: 'database', level: 'bad', text: 'Primary does not answer' },
  ]);
});

test('a condition that returns within half a minute continues its event, and a later one starts a new event', () => {
  const { events, at } = create();
  at(0).follow([away]);
  at(1_000).follow([]);
  at(20_000).follow([away]);
  at(21_000).follow([]);
  at(60_000).follow([away]);
  assert.deepEqual(
    events.since(0).map(({ atMs, endedMs }) => [atMs, endedMs]),
    [
      [0, 21_000],
      [60_000, undefined],
    ],
  );
});

test('the event of a condition keeps the text with the highest severity', () => {
  const { events } = create();
  for (const size of [1, 5, 3]) events.follow([{ ...away, size, text: `${size} s behind` }]);
  assert.deepEqual(
    events.since(0).map(({ text }) => text),
    ['5 s behind'],
  );
});

test('a reader gets the events changed since its last read, each once', () => {
  const { events } = create();
  events.follow([away]);
  const { revision } = events;
  assert.deepEqual(events.since(revision), []);
  events.follow([away]);
  assert.equal(events.revision, revision, 'nothing changed');
  events.follow([]);
  assert.deepEqual(
    events.since(revision).map(({ id }) => id),
    [1],
  );
});

test('the newest 200 events are kept, and no text is longer than 300 characters', () => {
  const { events } = create();
  for (let n = 1; n <= 250; n += 1) events.record({ kind: 'worker', level: 'info', text: `${n} ${'x'.repeat(1_000)}` });
  const kept = events.since(0);
  assert.equal(kept.length, 200);
  assert.match(kept[0]?.text ?? '', /^51 /u);
  assert.ok(kept.every(({ text }) => text.length <= 300));
});
