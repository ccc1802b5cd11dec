/**
 * A start without the primary, with a healthy standby: reads are served at once, writes once the primary is prepared.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { cannotMount, mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { createUser, useServers, workersOf, type Run, type RunOptions } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const session = { applicationName: 'late primary test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
let dataDir = '';
let known = '';
let disk: SmallDisk | undefined;

before(async () => {
  if (cannotMount === false) disk = await mountSmallDisk(256); // While this process is root.
  dataDir = await servers.data();
  const server = await servers.start(dataDir);
  known = (await create(server)).id;
  await waitFor('the standby to have it', async () => (await listed(server)).includes(known));
  await stop(server);
});

after(async () => disk?.remove());

/** Creates a user. Resolves with the status of the answer, and the id of the user. */
async function create(server: Run): Promise<{ readonly status: number; readonly id: string }> {
  const answer = await createUser(server);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With another shape, the comparison fails.
  const { id = '' } = (await answer.json()) as { id?: string };
  return { status: answer.status, id };
}

async function listed({ url }: Run): Promise<string> {
  const answer = await fetch(`${url}/api/v1/users`);
  assert.equal(answer.status, 200);
  return await answer.text();
}

async function stop(server: Run): Promise<void> {
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
}

/** Starts a server, and asserts that reads succeed and writes are refused. */
async function startWithoutPrimary(folder: string, options?: RunOptions): Promise<Run> {
  const server = await servers.start(folder, options);
  assert.match(server.stdout, /writes +none while the primary does not answer/u);
  // On a busy machine the first answer of the standby may come later than the start.
  await waitFor('the standby to serve reads', async () => (await fetch(`${server.url}/api/v1/users`)).ok);
  assert.ok((await listed(server)).includes(known));
  assert.equal((await create(server)).status, 503);
  const ready = await fetch(`${server.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /primary_unavailable/u);
  return server;
}

/** Resolves when writes succeed and the standby follows. */
async function isWhole(server: Run): Promise<void> {
  let id = '';
  await waitFor('a write', async () => {
    const created = await create(server);
    ({ id } = created);
    return created.status === 201;
  });
  await waitFor('the standby to have it', async () => (await listed(server)).includes(id));
}

test('a primary that cannot start is retried, and then prepared as at a start', async () => {
  const primary = join(dataDir, 'primary');
  const control = join(primary, 'global', 'pg_control');
  await rename(control, `${control}.away`);
  const slot = join(primary, 'pg_replslot', 'messenger_standby');
  await rm(slot, { recursive: true });
  const server = await startWithoutPrimary(dataDir);
  const workers = workersOf(server.pid);
  await waitFor('further attempts', () => /"failures":3,[^\n]*the primary is down/u.test(server.stderr));
  await rename(`${control}.away`, control);
  await isWhole(server);
  assert.deepEqual(workersOf(server.pid), workers, 'no worker was replaced');
  await stop(server);
});

test(
  'while the disk of the primary is full a start serves reads, and serves writes once there is room',
  {
    skip: cannotMount,
  },
  async () => {
    assert.ok(disk !== undefined);
    const primary = join(dataDir, 'primary');
    const target = join(disk.folder, 'primary');
    execFileSync('cp', ['-a', primary, target]);
    await rm(primary, { recursive: true });
    await symlink(target, primary);
    await disk.leave(0);
    const server = await startWithoutPrimary(dataDir);
    assert.match(server.stderr, /"kind":"disk_full"[^\n]*the primary is down: its disk is full/u);
    await disk.free();
    await isWhole(server);
    await stop(server);
    await rm(primary);
    execFileSync('cp', ['-a', target, primary]);
  },
);

test('the start reports a full disk of both servers', { skip: cannotMount }, async () => {
  assert.ok(disk !== undefined);
  const folder = join(disk.folder, 'both');
  await rm(join(disk.folder, 'primary'), { recursive: true, force: true });
  await stop(await servers.start(folder));
  await disk.leave(0);
  const server = await servers.startRefused(folder);
  assert.equal(await server.ended(), 1);
  assert.match(server.stderr, /The databases cannot start: its disk is full \(/u);
  assert.doesNotMatch(server.stderr, /\n +at /u);
  await disk.free();
});

test("an operator's late primary gets writes only after the checks of a start", async () => {
  const operator = await servers.start(dataDir);
  const { write } = await embeddedEndpoints(dataDir);
  const place = join(await servers.folder(), 'primary');
  const env = {
    DB_WRITE_HOST: place,
    DB_WRITE_USER: 'messenger',
    DB_WRITE_NAME: 'messenger',
    DB_READ_HOST: write.host,
    DB_READ_PORT: '5433',
    DB_READ_USER: 'messenger',
    DB_READ_NAME: 'messenger',
    DURABILITY: 'standby',
  };
  const server = await startWithoutPrimary('/nonexistent', { env });
  await symlink(write.host, place);
  await waitFor('the refusal', () => /cannot be used[^\n]*|DURABILITY=standby/u.test(server.stderr));
  assert.match(server.stderr, /DURABILITY=standby: commits on the primary/u);
  assert.equal((await create(server)).status, 503);
  await withClient({ ...write, user: roles.superuser }, session, async (client) => {
    await client.query("alter system set synchronous_standby_names = 'ANY 1 (*)'");
    await client.query('select pg_reload_conf()');
  });
  await isWhole(server);
  await stop(server);
  await stop(operator);
});
