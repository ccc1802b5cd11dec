import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { proveAnswers } from './chaos/answers.ts';
import { causes } from './chaos/causes.ts';
import { runInTest } from './chaos/part.ts';
import { System } from './chaos/system.ts';

let system: System | undefined;

before(async () => {
  system = await System.create();
});

after(async () => system?.destroy());

async function assertAnswers(name: string): Promise<void> {
  assert(system);
  const { run, seed } = runInTest();
  const chosen = causes.filter((cause) => cause.name === name);
  assert.equal(chosen.length, 1);
  const { violations } = await proveAnswers(system, { causes: chosen, clients: 18 }, run);
  assert.deepEqual(violations, [], `seed ${seed}`);
}

for (const name of ['the primary is killed', 'the standby is frozen', 'a worker is killed'])
  test(`every request is answered in time, and all works again by itself, when ${name}`, async () =>
    assertAnswers(name));
