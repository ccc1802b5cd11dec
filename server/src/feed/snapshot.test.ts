import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isVisible, parseSnapshot } from './snapshot.ts';

const low32 = (xid: bigint): number => Number(BigInt.asIntN(32, xid));

test('transactions before the oldest running one are visible, and running and later ones are not', () => {
  const snapshot = parseSnapshot('750:754:750,752');
  const visible = [749, 750, 751, 752, 753, 754].filter((xid) => isVisible(xid, snapshot));
  assert.deepEqual(visible, [749, 751, 753]);
  assert.deepEqual(
    [1, 5, 6].filter((xid) => isVisible(xid, parseSnapshot('5:5:'))),
    [1],
  );
});

test('numbers wrap around after four billion transactions', () => {
  for (const middle of [2n ** 31n, 2n ** 32n, 7n * 2n ** 32n]) {
    const [xmin, running, xmax] = [middle - 2n, middle + 1n, middle + 3n];
    const snapshot = parseSnapshot(`${xmin}:${xmax}:${xmin},${running}`);
    const all = Array.from({ length: 8 }, (_, n) => middle - 4n + BigInt(n));
    const visible = all.filter((xid) => isVisible(low32(xid), snapshot));
    assert.deepEqual(
      visible,
      all.filter((xid) => xid < xmax && xid !== xmin && xid !== running),
    );
  }
});
