import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findStorageFault } from './storage-fault.ts';

for (const [reason, fault] of [
  ['could not write to file "pg_wal/xlogtemp.42": No space left on device', 'disk_full'],
  ['could not extend file "base/5/16384": Disk quota exceeded', 'disk_full'],
  ['could not create lock file "postmaster.pid": Read-only file system', 'read_only'],
  ['could not open file "pg_wal/000000010000000000000002": Permission denied', 'no_permission'],
  ['could not fsync file "base/5/16384": Input/output error', 'io_error'],
  ['/data/primary holds no database (no PG_VERSION)', 'folder_missing'],
  ['could not open file "global/pg_control": No such file or directory', undefined],
  ['ended by SIGKILL', undefined],
] as const)
  test(`"${reason}" is ${fault ?? 'no storage fault'}`, () => {
    assert.equal(findStorageFault(reason), fault);
  });

test('an error of Node is recognised by its code', () => {
  assert.equal(findStorageFault(Object.assign(new Error('write'), { code: 'ENOSPC' })), 'disk_full');
  assert.equal(findStorageFault(new Error('not this')), undefined);
});
