/** Kills of workers and databases under load: answers.e2e.ts. Of everything: durability.e2e.ts. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { createUser, isAlive, processesOf, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
async function isReady(server: Run): Promise<boolean> {
  const answer = await fetch(`${server.url}/readyz`, { headers: { connection: 'close' } }).catch(() => undefined);
  await answer?.text();
  return answer?.status === 200;
}

async function names(server: Run): Promise<string[]> {
  const users: unknown = await (await fetch(`${server.url}/api/v1/users`)).json();
  assert(Array.isArray(users));
  return users.map((user: { first_name: string }) => user.first_name);
}

let dataDir = '';
/** Each test crashes this server, and leaves it running. */
let server: Run;

before(async () => {
  dataDir = await servers.data();
  server = await servers.start(dataDir, { args: ['--workers', '2'] });
});

/** Starts a server on the data of the previous one. */
async function startAgain(): Promise<void> {
  server = await servers.start(dataDir, { args: ['--workers', '2'] });
  await waitFor('both databases to answer', async () => isReady(server));
}

async function isListed(first: string): Promise<void> {
  await waitFor(`${first} to be listed`, async () => (await names(server)).includes(first));
}

test('workers and databases of a killed supervisor end by themselves', async () => {
  const workers = workersOf(server.pid);
  assert.equal(workers.length, 2);
  server.kill('SIGKILL');
  await waitFor('the workers to end', () => !workers.some(isAlive));
  await waitFor('the databases to end', () => processesOf(dataDir).length === 0);
  await startAgain();
});

test('a second signal stops at once, and no acknowledged write is lost', async () => {
  assert.equal((await createUser(server, 'interrupted')).status, 201);
  const workers = workersOf(server.pid);
  for (const pid of workers) process.kill(pid, 'SIGSTOP'); // They would delay the drain by 30 s.
  server.kill('SIGTERM');
  await waitFor('the first signal to be heard', () => /SIGTERM: stopping;/u.test(server.stderr));
  const began = performance.now();
  await waitFor('the second signal to count', () => {
    if (server.hasEnded || performance.now() - began < 400) return server.hasEnded;
    server.kill('SIGTERM');
    return true;
  });
  await server.ended();
  assert.ok(performance.now() - began < 10_000);
  assert.equal(workers.some(isAlive), false);
  await waitFor('all processes to be gone', () => processesOf(dataDir).length === 0);
  await startAgain();
  await isListed('interrupted');
});

test('a worker that crashes seven times does not end the server; exit code 70 when no worker can serve', async () => {
  const [sibling] = workersOf(server.pid);
  assert(sibling !== undefined);
  const crashes = (): number => server.stderr.split('a worker ended').length - 1;
  const killWorkersBut = (spared: number | undefined): void => {
    for (const pid of workersOf(server.pid)) if (pid !== spared && isAlive(pid)) process.kill(pid, 'SIGKILL');
  };
  await waitFor('seven crashes of the other worker', () => {
    killWorkersBut(sibling);
    return crashes() >= 7;
  });
  assert.equal((await createUser(server)).status, 201);
  assert.ok(isAlive(sibling));
  await waitFor(
    'the server to end',
    () => {
      if (!server.hasEnded) killWorkersBut(undefined);
      return server.hasEnded;
    },
    60_000,
  );
  assert.equal(await server.ended(), 70);
  assert.match(server.stderr, /no worker serves, and each has crashed too often/u);
  assert.deepEqual(processesOf(dataDir), []);
});
