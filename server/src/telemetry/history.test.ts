import assert from 'node:assert/strict';
import { test } from 'node:test';

import { liveAt } from '../../test/collections.ts';
import { figuresOf } from './figures.ts';
import { History, historyColumns } from './history.ts';

function fill(rows: number, upTo: number): History {
  const history = new History(rows);
  const { sample } = liveAt(0);
  for (let n = 1; n <= upTo; n += 1)
    history.add({ ...figuresOf(sample, { ...sample, atMs: n }), p99: n === 2 ? undefined : 1 / 3 });
  return history;
}

test('a reader gets the missing rows that are still retained', () => {
  const history = fill(3, 5);
  const timesSince = (count: number): readonly unknown[] => history.since(count).map(([atMs]) => atMs);
  assert.deepEqual(timesSince(-1), [3, 4, 5]);
  assert.deepEqual(timesSince(4), [5]);
  assert.deepEqual(timesSince(5), []);
});

test('missing values are null, and numbers have four digits', () => {
  const p99 = historyColumns.indexOf('p99');
  const values = fill(3, 3)
    .since(0)
    .map((row) => row[p99]);
  assert.deepEqual(values, [0.3333, null, 0.3333]);
});
