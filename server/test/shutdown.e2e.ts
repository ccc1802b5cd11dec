import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { processesOf, useServers } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();

interface Outcome {
  readonly status: number | undefined;
  /** Why it failed; Node's error code. */
  readonly error: string | undefined;
}

/** One request over the agent's connections. */
async function send(url: string, agent: Agent): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const body = JSON.stringify({ first_name: 'Ada', last_name: 'Lovelace' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const outgoing = request(`${url}/api/v1/users`, { method: 'POST', agent, headers }, (incoming) => {
    incoming.resume().once('end', () => resolve({ status: incoming.statusCode, error: undefined }));
    incoming.once('error', (error) => resolve({ status: undefined, error: `answer cut: ${error.message}` }));
  });
  outgoing.once('error', (error: NodeJS.ErrnoException) => resolve({ status: undefined, error: error.code }));
  outgoing.end(body);
  return await promise;
}

/** Sends sequential requests until a connection is refused, which means that the server has stopped. */
async function client(url: string, outcomes: Outcome[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (;;) {
    const outcome = await send(url, agent);
    if (outcome.error === 'ECONNREFUSED') break;
    outcomes.push(outcome);
    await sleep(Math.random() * 20);
  }
  agent.destroy();
}

test('SIGTERM under load: every accepted request is answered, and everything stops', async () => {
  const dataDir = await servers.data();
  const server = await servers.start(dataDir, { args: ['--workers', '2'] });
  const outcomes: Outcome[] = [];
  const clients = Array.from({ length: 40 }, async () => client(server.url, outcomes));
  await waitFor('load', () => outcomes.length > 500);
  server.kill('SIGTERM');
  await Promise.all(clients);
  assert.equal(await server.ended(), 0);
  const failed = outcomes.filter(({ status }) => status !== 201);
  assert.deepEqual(failed, [], `${failed.length} of ${outcomes.length} failed`);
  assert.deepEqual(processesOf(dataDir), []);
});
