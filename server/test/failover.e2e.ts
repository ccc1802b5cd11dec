import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveFailover } from './chaos/failover.ts';
import { runInTest } from './chaos/part.ts';

test('a promotion is followed without a restart when the old primary is dead, and when it still takes writes', async () => {
  const { run, seed } = runInTest();
  const { figures, violations } = await proveFailover(['killed', 'alive'], run);
  assert.deepEqual(violations, [], `seed ${seed}: ${figures}`);
});
