/** Folders of one server that fill up, vanish, or become unwritable, while the other is healthy. A full primary: test/late-primary.e2e.ts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { cannotMount, mountSmallDisk, type SmallDisk } from '../../test/small-disk.ts';
import type { EmbeddedPair } from './pair.ts';
import { ask, eventually, makeTestSite, replicates, soon, type TestSite } from './test-pair.ts';

let site: TestSite;
let pair: EmbeddedPair;
let disk: SmallDisk | undefined;
/** The folder of a server that is on the small disk now. */
let moved: string | undefined;

const emit = `select pg_logical_emit_message(false, 'fill', repeat('x', 1048576))`;
const noMounts = { skip: cannotMount };

before(async () => {
  // While this process is root.
  if (cannotMount === false) disk = await mountSmallDisk(256);
  site = await makeTestSite();
  pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (id uuid primary key default uuidv7())');
  await replicates(pair, 'kept');
  await pair.stop(soon());
});

beforeEach(() => {
  pair = site.pair();
});

afterEach(async () => {
  await pair.stop(soon());
  if (moved !== undefined) await moveBack(moved);
  moved = undefined;
});

after(async () => {
  await site.remove();
  await disk?.remove();
});

/** Moves the folder of a stopped server to the small disk, until the end of the test. */
async function moveToSmallDisk(role: 'primary' | 'standby'): Promise<SmallDisk> {
  assert.ok(disk !== undefined);
  moved = join(site.options.dataDir, role);
  const target = join(disk.folder, role);
  execFileSync('cp', ['-a', moved, target]);
  await rm(moved, { recursive: true });
  await symlink(target, moved);
  return disk;
}

async function moveBack(folder: string): Promise<void> {
  await disk?.free();
  const target = await readlink(folder);
  await rm(folder);
  execFileSync('cp', ['-a', target, folder]);
  await rm(target, { recursive: true });
}

/** Resolves when the primary accepts writes, and the standby has replayed them. */
async function isBack(): Promise<void> {
  await eventually(() => pair.pids.primary !== undefined);
  assert.equal(faultOf('primary'), undefined);
  await replicates(pair, 'kept');
}

const faultOf = (role: string): string | undefined => pair.servers.find(({ name }) => name === role)?.fault;

test('a standby with a full disk is not rebuilt, and follows once there is room', noMounts, async () => {
  const small = await moveToSmallDisk('standby');
  await pair.start(soon());
  await replicates(pair, 'kept');
  await small.leave(1_000_000);
  for (let written = 0; written < 40; written += 1) await ask(pair, 'write', emit);
  await eventually(() => faultOf('standby') === 'disk_full');
  const told = (): number => site.lines.filter((line) => line.includes('cannot store what the primary sends')).length;
  await eventually(() => told() > 0);
  await ask(pair, 'write', 'insert into kept values (default)');
  await small.free();
  await replicates(pair, 'kept');
  await eventually(() => faultOf('standby') === undefined);
  assert.equal(told(), 1);
  assert.ok(!site.lines.some((line) => line.includes('rebuilding the standby')));
});

test('a standby with a full disk at the start is not rebuilt, and comes up once there is room', noMounts, async () => {
  const small = await moveToSmallDisk('standby');
  await small.leave(0);
  const started = pair.start(soon());
  await eventually(() => site.lines.some((line) => /"failures":7,.*the standby is down: its disk is full/.test(line)));
  assert.equal(faultOf('standby'), 'disk_full');
  await small.free();
  await started;
  await replicates(pair, 'kept');
  assert.ok(!site.lines.some((line) => line.includes('rebuilding the standby')));
});

/**
 * Resolves when the file system is read-only, as the kernel makes it after errors; PostgreSQL does not survive that for
 * long.
 */
async function makeReadOnly(small: SmallDisk, role: 'primary' | 'standby'): Promise<void> {
  let isDone = false;
  const remounted = small.remount('ro').then(() => (isDone = true));
  await eventually(() => {
    const { [role]: pid } = pair.pids;
    if (pid !== undefined) execFileSync('sh', ['-c', `pkill -KILL -P ${pid}; kill -KILL ${pid} || true`]);
    return isDone;
  });
  await remounted;
}

test('while the file system of the primary is read-only, the standby serves reads', noMounts, async () => {
  const small = await moveToSmallDisk('primary');
  await pair.start(soon());
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  await replicates(pair, 'kept');
  await makeReadOnly(small, 'primary');
  await eventually(() => faultOf('primary') === 'read_only');
  assert.ok((await ask(pair, 'read', 'select id from kept')).includes(id));
  await small.remount('rw');
  await isBack();
  assert.ok((await ask(pair, 'write', 'select id from kept')).includes(id));
});

test('a standby on a read-only file system is not rebuilt, and follows once it is writable', noMounts, async () => {
  const small = await moveToSmallDisk('standby');
  await pair.start(soon());
  await replicates(pair, 'kept');
  await makeReadOnly(small, 'standby');
  await eventually(() => faultOf('standby') === 'read_only');
  await eventually(() => site.lines.some((line) => /"failures":7,.*the standby is down: its file/.test(line)));
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  await small.remount('rw');
  await eventually(async () => (await ask(pair, 'read', 'select id from kept')).includes(id));
  assert.equal(faultOf('standby'), undefined);
  assert.ok(!site.lines.some((line) => line.includes('rebuilding the standby')));
});

test('a start with a primary on a read-only file system continues with the standby', noMounts, async () => {
  const small = await moveToSmallDisk('primary');
  await small.remount('ro');
  await pair.start(soon());
  assert.equal(faultOf('primary'), 'read_only');
  assert.ok((await ask(pair, 'read', 'select count(*)::int from kept')).every((count) => Number(count) > 0));
  await small.remount('rw');
  await isBack();
});

test('a primary without write permission for its folder is retried, and recovers with all commits', async () => {
  await pair.start(soon());
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  await replicates(pair, 'kept');
  const wal = join(site.options.dataDir, 'primary', 'pg_wal');
  await chmod(wal, 0o500);
  await assert.rejects(async () => {
    for (;;) await ask(pair, 'write', emit);
  });
  await eventually(() => faultOf('primary') === 'no_permission');
  assert.ok((await ask(pair, 'read', 'select id from kept')).includes(id));
  await chmod(wal, 0o700);
  await isBack();
  assert.ok((await ask(pair, 'write', 'select id from kept')).includes(id));
});

test('while the folder of the primary is missing the standby serves reads, and both recover when it is back', async () => {
  await pair.start(soon());
  const [id] = await ask(pair, 'write', 'insert into kept values (default) returning id');
  await replicates(pair, 'kept');
  const { dataDir } = site.options;
  await rename(join(dataDir, 'primary'), join(dataDir, 'elsewhere'));
  process.kill(pair.pids.primary ?? assert.fail('the primary runs'), 'SIGKILL');
  await eventually(() => faultOf('primary') === 'folder_missing');
  assert.ok((await ask(pair, 'read', 'select id from kept')).includes(id));
  await rename(join(dataDir, 'elsewhere'), join(dataDir, 'primary'));
  await isBack();
  assert.ok((await ask(pair, 'write', 'select id from kept')).includes(id));
});
