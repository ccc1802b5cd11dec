import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runInTest } from './chaos/part.ts';
import { proveSends } from './chaos/sends.ts';

test('each message is stored once and in one order, and read back with its token, while workers and the primary are killed', async () => {
  const { run, seed } = runInTest();
  const victims = ['worker', 'primary', 'worker'] as const;
  const { violations } = await proveSends(
    { senders: 50, conversations: 20, victims, reads: 200_000, seconds: 15 },
    run,
  );
  assert.deepEqual(violations, [], `seed ${seed}`);
});
