import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import { readDiskSpace } from './disk-space.ts';

test('the space of a folder is that of its file system', async () => {
  const space = await readDiskSpace(tmpdir());
  assert.ok(space !== undefined && space.sizeBytes > 0);
  assert.ok(space.freeBytes >= 0 && space.freeBytes <= space.sizeBytes);
});

test('a missing folder has no space, without an error', async () => {
  assert.equal(await readDiskSpace('/there/is/no/such/folder'), undefined);
});
