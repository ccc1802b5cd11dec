import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { proveAnswers } from './chaos/answers.ts';
import { causesLasting, type Cause } from './chaos/causes.ts';
import { runInTest } from './chaos/part.ts';
import { System } from './chaos/system.ts';

/** Of a write, so that a frozen primary need not be waited for long. */
const writeDeadlineMs = 1_500;
const causes = causesLasting({ exhaustedMs: 1_500, frozenPrimaryMs: 3_000 });

let system: System | undefined;

before(async () => {
  system = await System.create({ DB_WRITE_TIMEOUT_MS: String(writeDeadlineMs) });
});

after(async () => system?.destroy());

async function assertAnswers(cause: Cause): Promise<void> {
  assert(system);
  const { run, seed } = runInTest();
  const { figures, violations } = await proveAnswers(system, { causes: [cause], clients: 18, isShort: true }, run);
  assert.deepEqual(violations, [], `seed ${seed}: ${figures}`);
}

for (const cause of causes)
  test(`every request is answered in time, and all works again by itself, when ${cause.name}`, async () =>
    assertAnswers(cause));
