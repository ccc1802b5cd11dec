import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveDurability } from './chaos/durability.ts';
import { runInTest } from './chaos/part.ts';

test('acknowledged writes exist once and complete after kill -9 of the primary, and of everything', async () => {
  const { run, seed } = runInTest();
  const { violations } = await proveDurability({ victims: ['primary', 'everything'], clients: 48 }, run);
  assert.deepEqual(violations, [], `seed ${seed}`);
});
