import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

import { openFilesLimit, openFilesLimitOf } from './open-files-limit.ts';

const onlyLinux = process.platform === 'linux' ? false : 'other systems do not tell';

test('the limit of open files is read for another process', { skip: onlyLinux }, async () => {
  const child = spawn('sh', ['-c', 'ulimit -n 300 && echo set && read end'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    assert(child.pid !== undefined);
    await once(child.stdout, 'data');
    assert.equal(await openFilesLimitOf(child.pid), 300);
  } finally {
    const ended = once(child, 'close');
    child.stdin.end();
    await ended;
  }
});

test('without information from the system, the limit of this process is used', async () => {
  assert.equal(await openFilesLimitOf(2 ** 30), openFilesLimit());
});
