import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runInTest } from './chaos/part.ts';
import { proveRealtime } from './chaos/realtime.ts';

test('clients of sockets miss nothing and go back never, while workers, the feed and databases are killed', async () => {
  const { run, seed } = runInTest();
  const victims = ['worker', 'feed', 'primary'] as const;
  const { violations } = await proveRealtime({ people: 5, conversations: 4, victims, seconds: 5 }, run);
  assert.deepEqual(violations, [], `seed ${seed}`);
});
