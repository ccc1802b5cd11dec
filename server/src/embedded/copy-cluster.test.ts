import assert from 'node:assert/strict';
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { cannotMount, mountSmallDisk } from '../../test/small-disk.ts';
import { copyCluster } from './copy-cluster.ts';
import { makeTestFolder } from './test-folder.ts';

const MiB = 1_048_576;

test('a copy that does not fit leaves the running original room for its WAL', { skip: cannotMount }, async () => {
  const disk = await mountSmallDisk(128);
  const from = await makeTestFolder();
  try {
    for (const name of ['1', '2', '3', '4', '5']) await writeFile(join(from, name), Buffer.alloc(20 * MiB));
    const to = join(disk.folder, 'copy');
    await mkdir(to);
    const copying = copyCluster({ from, to, signal: AbortSignal.timeout(20_000) });
    await assert.rejects(copying, /No space left on device/);
    const { bavail, bsize } = await statfs(to);
    assert.ok(bavail * bsize >= 64 * MiB, `${bavail * bsize} bytes are left`);
    assert.equal((await readdir(to)).length, 3);
  } finally {
    await disk.remove();
    await rm(from, { recursive: true });
  }
});
