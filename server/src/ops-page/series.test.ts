import assert from 'node:assert/strict';
import { test } from 'node:test';

import { liveAt } from '../../test/collections.ts';
import { historyColumns } from '../telemetry/history.ts';
import type { Live } from '../telemetry/live.ts';
import { follow, nothingYet } from './series.js';

const noon = 43_200_000;

/** A message with rows of these times, the last of which is row number `rows`. */
function message(rows: number, ...times: readonly number[]): Live {
  const history = { columns: historyColumns, rows: times.map((atMs) => [atMs]) };
  return liveAt(times.at(-1) ?? noon, { seen: { rows, revision: 0 }, history });
}

function seriesOf(...messages: readonly Live[]) {
  let series = nothingYet;
  for (const live of messages) series = follow(series, live);
  return series;
}

const timesOf = ({ rows }: ReturnType<typeof seriesOf>) => rows.map(([atMs]) => atMs);

test('a page has the history from its first message, and keeps 15 minutes', () => {
  assert.deepEqual(timesOf(seriesOf(message(3, noon, noon + 1, noon + 2))), [noon, noon + 1, noon + 2]);
  const later = seriesOf(message(3, noon, noon + 1, noon + 2), message(4, noon + 900_001));
  assert.deepEqual(timesOf(later), [noon + 2, noon + 900_001]);
});

test('repeated rows are not added again', () => {
  const series = seriesOf(message(2, noon, noon + 1), message(3, noon, noon + 1, noon + 2), message(4, noon + 3));
  assert.deepEqual(timesOf(series), [noon, noon + 1, noon + 2, noon + 3]);
});

test("when the server's clock is set back, the page continues with the new time at once", () => {
  const series = seriesOf(message(2, noon, noon + 1_000), message(3, noon - 3_600_000));
  assert.deepEqual(timesOf(series), [noon - 3_600_000]);
});

test('a changed event replaces its old version, and the newest event is first', () => {
  const event = { atMs: noon, kind: 'database', level: 'bad', text: 'away' } as const;
  const first = liveAt(noon, { events: [{ ...event, id: 1, endedMs: undefined }] });
  const events = [
    { ...event, id: 1, endedMs: noon + 5 },
    { ...event, id: 2, endedMs: undefined },
  ];
  const series = seriesOf(first, liveAt(noon + 1, { events }));
  assert.deepEqual(
    series.events.map(({ id, endedMs }) => [id, endedMs]),
    [
      [2, undefined],
      [1, noon + 5],
    ],
  );
});
