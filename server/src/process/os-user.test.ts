import assert from 'node:assert/strict';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { makeTestFolder } from '../embedded/test-folder.ts';
import { assertReachable, currentUser, findUser, userOf } from './os-user.ts';

let folder: string;

before(async () => {
  folder = await makeTestFolder();
});

after(async () => rm(folder, { recursive: true }));

test('a user is found with all its groups, and an unknown name is not found', async () => {
  const root = await findUser('root');
  assert.deepEqual([root?.uid, root?.gid, root?.groups.includes(0)], [0, 0, true]);
  for (const name of ['no-such-user', '-u', 'a b', '']) assert.equal(await findUser(name), undefined);
});

test('an owner without a name is represented by its uid', async () => {
  assert.deepEqual(await userOf({ uid: 3_999_999, gid: 7 }), { name: '3999999', uid: 3_999_999, gid: 7, groups: [7] });
  assert.equal((await userOf({ uid: 0, gid: 0 })).name, 'root');
});

test('the first inaccessible folder is named, with its mode and the remedies', async () => {
  assert.notEqual(currentUser().uid, 0);
  const locked = join(folder, 'locked');
  await mkdir(join(locked, 'bin'), { recursive: true });
  await writeFile(join(locked, 'bin', 'postgres'), '', { mode: 0o755 });
  await assertReachable(join(locked, 'bin', 'postgres'));
  await chmod(locked, 0o600);
  await assert.rejects(assertReachable(join(locked, 'bin', 'postgres')), (error: Error) => {
    assert.ok(error.message.includes(`as "${currentUser().name}", and that user cannot enter ${locked} (mode 0600)`));
    assert.ok(error.message.includes(`chmod o+x ${locked}`));
    assert.ok(error.message.includes('MESSENGER_USER'));
    return true;
  });
  await chmod(locked, 0o700);
});
