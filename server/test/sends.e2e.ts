import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runInTest } from './chaos/part.ts';
import { proveSends } from './chaos/sends.ts';

/** `npm run chaos -- --only sends` reads a million times. */
test('each message is stored once and in one order, and read back with its token, while workers and the primary are killed', async () => {
  const { run, seed } = runInTest();
  const victims = ['worker', 'primary', 'worker'] as const;
  const { violations } = await proveSends({ senders: 50, conversations: 20, victims, reads: 20_000, seconds: 45 }, run);
  assert.deepEqual(violations, [], `seed ${seed}`);
});
