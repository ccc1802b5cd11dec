import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveAnswers } from './chaos/answers.ts';
import { causes } from './chaos/causes.ts';
import { runInTest } from './chaos/part.ts';
import { withSystem } from './chaos/system.ts';

const inTests = ['the primary is killed', 'the standby is frozen', 'a worker is killed'];

test('every request is answered in time, and all works again by itself, when a database or a worker suffers', async () => {
  const { run, seed } = runInTest();
  const chosen = causes.filter(({ name }) => inTests.includes(name));
  assert.equal(chosen.length, inTests.length);
  const { violations } = await withSystem(async (system) => proveAnswers(system, { causes: chosen, clients: 18 }, run));
  assert.deepEqual(violations, [], `seed ${seed}`);
});
