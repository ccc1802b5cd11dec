import assert from 'node:assert/strict';
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { assertOwner, assertReachable, giveFolder, resolveOsUser } from './os-user.ts';
import { makeTestFolder } from './test-binaries.ts';

let folder: string;

before(async () => {
  folder = await makeTestFolder();
});

after(async () => rm(folder, { recursive: true }));

/** Runs `work` without root's rights: as nobody if we are root, else as we are. */
async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.('nobody');
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

test('an ordinary user runs the databases as itself', async () => {
  await asOrdinaryUser(async () => {
    const user = await resolveOsUser(undefined);
    assert.equal(user.drops, false);
    assert.equal(user.uid, process.geteuid?.());
  });
});

test('an ordinary user cannot name another one', async () => {
  await asOrdinaryUser(async () => {
    await assert.rejects(resolveOsUser('root'), /MESSENGER_DB_USER is "root", but only root can/);
  });
});

test("an ordinary user is refused somebody else's database, and told how to get it", async () => {
  const self = await asOrdinaryUser(async () => resolveOsUser(undefined));
  await assert.rejects(assertOwner('/', self), /belongs to the user with uid 0.*chown -R/);
});

if (process.geteuid?.() === 0) {
  test('root runs the databases as nobody', async () => {
    const user = await resolveOsUser(undefined);
    assert.deepEqual([user.name, user.drops], ['nobody', true]);
    assert.ok(user.uid > 0);
  });

  test('a user who does not exist, or is root, is refused by name', async () => {
    await assert.rejects(resolveOsUser('no-such-user'), /there is no user "no-such-user"/);
    await assert.rejects(resolveOsUser('-u'), /there is no user "-u"/);
    await assert.rejects(resolveOsUser('root'), /is root, and PostgreSQL does not run as root/);
  });

  test('the first folder that the user cannot enter is named, with its mode and the ways out', async () => {
    const user = await resolveOsUser(undefined);
    const locked = join(folder, 'locked');
    await mkdir(join(locked, 'bin'), { recursive: true });
    await writeFile(join(locked, 'bin', 'postgres'), '');
    await chmod(join(locked, 'bin', 'postgres'), 0o755);
    await assertReachable(user, join(locked, 'bin', 'postgres'));
    await chmod(locked, 0o700);
    await assert.rejects(assertReachable(user, join(locked, 'bin', 'postgres')), (error: Error) => {
      assert.ok(error.message.includes(`"nobody", who cannot enter ${locked} (mode 0700)`));
      assert.ok(error.message.includes(`chmod o+x ${locked}`));
      assert.ok(error.message.includes('MESSENGER_DB_USER'));
      return true;
    });
  });

  test('data that was copied by root is given to the databases, all of it', async () => {
    const user = await resolveOsUser(undefined);
    const dir = join(folder, 'copied');
    await mkdir(join(dir, 'base'), { recursive: true });
    await writeFile(join(dir, 'base', '1'), '');
    await giveFolder(dir, user);
    for (const path of [dir, join(dir, 'base'), join(dir, 'base', '1')]) assert.equal((await stat(path)).uid, user.uid);
  });
}
