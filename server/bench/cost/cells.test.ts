import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cellsOf, pairs } from './cells.ts';

test('each load is measured once, even if a comparison uses it, too', () => {
  const titles = cellsOf({ calls: ['get', 'put'], connections: [8, 64], rates: [800], pairs: true }).map(
    ({ title }) => title,
  );
  assert.deepEqual(titles, [
    'get 8',
    'get 64',
    'put 8',
    'put 64',
    'all calls, 800/s',
    'put 64, one row',
    'get 8, each on a new connection',
  ]);
});

test('a load is measured together with the one that it is compared with', () => {
  const titles = cellsOf({ calls: [], connections: [], rates: [], pairs: true }).map(({ title }) => title);
  assert.deepEqual(titles.toSorted(), pairs.flatMap(({ left, right }) => [left, right]).toSorted());
});
