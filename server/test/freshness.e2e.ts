import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveFreshness } from './chaos/freshness.ts';
import { runInTest } from './chaos/part.ts';

test('a client with a token reads its own writes on any worker, while replay pauses and resumes', async () => {
  const { run, seed } = runInTest();
  const { violations } = await proveFreshness(
    { reads: 100_000, limit: { seconds: 3, leastReads: 4_000 }, clients: 64, countsShare: false, standbys: 1 },
    run,
  );
  assert.deepEqual(violations, [], `seed ${seed}`);
});

test('the same holds with two standbys at different positions', async () => {
  const { run, seed } = runInTest();
  const { violations } = await proveFreshness(
    { reads: 20_000, limit: { seconds: 2, leastReads: 4_000 }, clients: 64, countsShare: false, standbys: 2 },
    run,
  );
  assert.deepEqual(violations, [], `seed ${seed}`);
});
