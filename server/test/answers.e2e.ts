import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { User } from '@messenger/protocol/users';
import { Value } from 'typebox/value';

import { proveAnswers } from './chaos/answers.ts';
import { calls, type Outcome } from './chaos/client.ts';
import type { HttpRequest } from './chaos/http-connection.ts';
import { causesLasting, type Cause } from './chaos/causes.ts';
import { runInTest } from './chaos/part.ts';
import { System } from './chaos/system.ts';

/** Deadlines of a read and of a write; short, so that a frozen primary causes only short waits. */
const promisedMs = { read: 1_500, write: 1_500 };
/** Allowance for a busy machine; less than a second deadline after the first, or a second of grace. */
const machineMs = 750;
const causes = causesLasting({ exhaustedMs: 1_500, frozenPrimaryMs: 3_000 });

let system: System | undefined;

before(async () => {
  system = await System.create({
    DB_WRITE_TIMEOUT_MS: String(promisedMs.write),
    DB_READ_TIMEOUT_MS: String(promisedMs.read),
  });
});

after(async () => system?.destroy());

async function assertAnswers(cause: Cause): Promise<void> {
  assert(system);
  const { run, seed } = runInTest();
  const options = { causes: [cause], clients: 6, promisedMs, isShort: true };
  const { figures, violations } = await proveAnswers(system, options, run);
  assert.deepEqual(violations, [], `seed ${seed}: ${figures}`);
}

for (const cause of causes)
  test(`every request is answered in time, and everything recovers by itself, when ${cause.name}`, async () =>
    assertAnswers(cause));

/** Sequential requests on one connection, while the primary is frozen. */
async function askUntil(isOver: () => boolean, request: HttpRequest): Promise<Outcome[]> {
  assert(system);
  const client = system.client(1, runInTest().run.random);
  const outcomes: Outcome[] = [];
  while (!isOver()) outcomes.push(await client.call(request));
  client.close();
  return outcomes;
}

test('while the primary is frozen, writes and reads that need it fail in time, also those in queues', async () => {
  assert(system);
  const { random } = runInTest().run;
  const client = system.client(1, random);
  const { body } = await client.call(calls.create('Ada', 'Lovelace'));
  client.close();
  const { id } = Value.Parse(User, JSON.parse(body));
  const unknown = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
  const requests = [
    calls.create('Ada', 'Lovelace'),
    calls.rename(id, 'Grace', 'Hopper'),
    calls.get(unknown, undefined),
  ];
  const thaw = system.freeze('write');
  const end = performance.now() + 2 * promisedMs.write;
  const asking = requests.flatMap((request) =>
    Array.from({ length: 8 }, async () => askUntil(() => performance.now() >= end, request)),
  );
  const outcomes = await Promise.all(asking).finally(thaw);
  for (const { request, status, ms } of outcomes.flat()) {
    assert.ok(status === 503 || status === 504, `${request.method} ${status}`);
    const promised = request.method === 'GET' ? promisedMs.read : promisedMs.write;
    assert.ok(ms < promised + machineMs, `${request.method} was answered after ${Math.round(ms)} ms`);
  }
  await system.ready();
});
