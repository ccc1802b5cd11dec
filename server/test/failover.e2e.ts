import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveFailover } from './chaos/failover.ts';
import { runInTest } from './chaos/part.ts';

test('workers follow a promotion without a restart, also when the old primary still accepts writes', async () => {
  const { run, seed } = runInTest();
  const { figures, violations } = await proveFailover(['killed', 'alive'], run);
  assert.deepEqual(violations, [], `seed ${seed}: ${figures}`);
});
