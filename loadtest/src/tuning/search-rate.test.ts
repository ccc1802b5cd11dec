import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { searchRate } from './search-rate.ts';

/** Searches on a server that holds up to `capacity`; what is found, and the rates that were tried. */
async function search(capacity: number, bisections: number): Promise<{ found: number; tried: number[] }> {
  const tried: number[] = [];
  const found = await searchRate(100, bisections, async (rate) => {
    tried.push(rate);
    return rate <= capacity;
  });
  return { found, tried };
}

describe('the search for the highest rate', () => {
  test('finds it from below as closely as it says', async () => {
    for (const capacity of [1, 7, 99, 100, 101, 1_234, 50_000]) {
      const { found } = await search(capacity, 4);
      assert(found <= capacity && found * 2 ** (1 / 16) >= capacity, `${found} for ${capacity}`);
    }
  });

  test('doubles, then bisects as often as it may', async () => {
    assert.deepEqual((await search(250, 0)).tried, [100, 200, 400]);
    assert.deepEqual((await search(250, 2)).tried.map(Math.round), [100, 200, 400, 283, 238]);
  });

  test('says 0 of a server that holds nothing, after halving to the end', async () => {
    assert.deepEqual(await search(0, 4), { found: 0, tried: [100, 50, 25, 12, 6, 3, 1] });
  });
});
