import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveFreshness } from './chaos/freshness.ts';
import { runInTest } from './chaos/part.ts';

test('whoever carries a token reads what it wrote, on any worker, while the replay of the standby comes and goes', async () => {
  const { run, seed } = runInTest();
  const { violations } = await proveFreshness(
    { reads: 100_000, limit: { seconds: 10, leastReads: 6_000 }, clients: 64, countsShare: false, standbys: 1 },
    run,
  );
  assert.deepEqual(violations, [], `seed ${seed}`);
});

test('so it is with two standbys, each as far as it is: what one has counts for nothing on the other', async () => {
  const { run, seed } = runInTest();
  const { violations } = await proveFreshness(
    { reads: 20_000, limit: { seconds: 6, leastReads: 6_000 }, clients: 64, countsShare: false, standbys: 2 },
    run,
  );
  assert.deepEqual(violations, [], `seed ${seed}`);
});
