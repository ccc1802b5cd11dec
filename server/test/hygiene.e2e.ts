import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveHygiene } from './chaos/hygiene.ts';
import { inspectable } from './chaos/inspector.ts';
import { runInTest } from './chaos/part.ts';
import { withSystem } from './chaos/system.ts';

test('users and connections that come and go leave no memory, sessions or open files behind, and no event loop later', async () => {
  const { run, seed } = runInTest();
  const options = { minutes: 0.2, samples: 9, clients: 8, isAlone: false };
  const { violations } = await withSystem(async (system) => proveHygiene(system, options, run), inspectable);
  assert.deepEqual(violations, [], `seed ${seed}`);
});
