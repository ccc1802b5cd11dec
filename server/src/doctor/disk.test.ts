import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import { cannotMount, mountSmallDisk } from '../../test/small-disk.ts';
import { checkDisk } from './disk.ts';

test('a disk with a tenth free is a warning, and a full one a failure', { skip: cannotMount }, async () => {
  const disk = await mountSmallDisk(64);
  try {
    const status = async (): Promise<string> => (await checkDisk('primary', disk.folder)).status;
    assert.equal(await status(), 'ok');
    await disk.leave(4 * 1_048_576);
    assert.equal(await status(), 'warn');
    await disk.leave(0);
    assert.equal(await status(), 'fail');
    await disk.free();
    await disk.remount('ro');
    assert.match((await checkDisk('primary', disk.folder)).found, /is read-only/u);
  } finally {
    await disk.remove();
  }
});

test('a folder with an unavailable file system is a warning', async () => {
  assert.equal((await checkDisk('standby', `${tmpdir()}/there-is-no-such-folder`)).status, 'warn');
});
