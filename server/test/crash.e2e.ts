import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { isAlive, postmaster, processesOf, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const json = { 'content-type': 'application/json' };

async function post(server: Run, first: string): Promise<number> {
  const body = JSON.stringify({ first_name: first, last_name: 'x' });
  const answer = await fetch(`${server.url}/api/v1/users`, {
    method: 'POST',
    headers: { ...json, connection: 'close' },
    body,
  });
  await answer.text();
  return answer.status;
}

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

test('a killed worker is replaced while the others serve', async () => {
  const [victim, other] = workersOf(server.pid);
  assert(victim !== undefined && other !== undefined);
  process.kill(victim, 'SIGKILL');
  await waitFor('the victim to be gone', () => !isAlive(victim));
  for (let request = 0; request < 20; request += 1) assert.equal(await post(server, 'Ada'), 201);
  await waitFor('a new worker', () => workersOf(server.pid).length === 2);
  await waitFor('it to serve', () => /a new worker serves/u.test(server.stderr));
  assert.ok(workersOf(server.pid).includes(other), 'the other worker is the same process');
});

test('workers and databases of a killed supervisor end by themselves', async () => {
  const workers = workersOf(server.pid);
  assert.equal(workers.length, 2);
  server.kill('SIGKILL');
  await waitFor('the workers to end', () => !workers.some(isAlive));
  await waitFor('the databases to end', () => processesOf(dataDir).length === 0);
  await startAgain();
});

test('after kill -9 of everything the next start recovers all acknowledged writes', async () => {
  for (const name of ['one', 'two', 'three']) assert.equal(await post(server, name), 201);
  const everything = [server.pid, ...workersOf(server.pid), ...processesOf(dataDir).map(({ pid }) => pid)];
  for (const pid of new Set(everything)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await startAgain();
  for (const name of ['one', 'two', 'three']) await isListed(name);
});

test('databases that outlived their killed supervisor are stopped by the next start', async () => {
  assert.equal(await post(server, 'orphaned'), 201);
  const orphan = postmaster(dataDir, 'primary');
  assert(orphan !== undefined);
  // The guardians first, so that nothing else ends the databases.
  const guardians = processesOf(dataDir).filter(
    ({ command }) => command.startsWith('sh ') || command.startsWith('/bin/sh '),
  );
  for (const { pid } of guardians) process.kill(pid, 'SIGKILL');
  server.kill('SIGKILL');
  await server.ended();
  await startAgain();
  assert.equal(isAlive(orphan), false);
  await isListed('orphaned');
});

async function survivesKillOf(role: 'primary' | 'standby'): Promise<void> {
  assert.equal(await post(server, `before the ${role}`), 201);
  const victim = postmaster(dataDir, role);
  assert(victim !== undefined);
  process.kill(victim, 'SIGKILL');
  await waitFor('another postmaster', () => ![undefined, victim].includes(postmaster(dataDir, role)));
  // Not /readyz, whose result may be a second old.
  await waitFor('a write', async () => (await post(server, `after the ${role}`)) === 201);
  await waitFor('readiness', async () => isReady(server));
  for (const when of ['before', 'after']) await isListed(`${when} the ${role}`);
  assert.equal(server.hasEnded, false);
}

for (const role of ['primary', 'standby'] as const)
  test(`a ${role} that is killed while serving is restarted, and everything works as before`, async () =>
    survivesKillOf(role));

test('a second signal stops at once, and no acknowledged write is lost', async () => {
  assert.equal(await post(server, 'interrupted'), 201);
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
  assert.equal(await post(server, 'Ada'), 201);
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
