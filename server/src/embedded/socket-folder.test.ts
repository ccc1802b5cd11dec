import assert from 'node:assert/strict';
import { mkdir, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { layoutOf } from './data-folder.ts';
import { prepareSocketFolder, socketFolderOf } from './socket-folder.ts';
import { makeTestFolder } from './test-folder.ts';

let folder: string;

before(async () => {
  folder = await makeTestFolder();
});

after(async () => rm(folder, { recursive: true }));

const longest = process.platform === 'darwin' ? 103 : 107;
const rest = '/run/.s.PGSQL.5432'.length;

test('sockets live in the data folder if their path fits', async () => {
  const fits = await layoutOf(`/${'d'.repeat(longest - rest - 1)}`);
  assert.equal(socketFolderOf(fits), fits.run);
});

test('if the path is one byte too long, they live in a short folder specific to the data folder', async () => {
  const tooLong = await layoutOf(`/${'d'.repeat(longest - rest)}`);
  const other = await layoutOf(`/${'e'.repeat(longest - rest)}`);
  assert.match(socketFolderOf(tooLong, '/tmp'), /^\/tmp\/messenger-[0-9a-f]{16}$/);
  assert.equal(socketFolderOf(tooLong, '/tmp'), socketFolderOf(tooLong, '/tmp'));
  assert.notEqual(socketFolderOf(tooLong, '/tmp'), socketFolderOf(other, '/tmp'));
});

test('the limit counts bytes, not characters', async () => {
  const layout = await layoutOf(`/${'ä'.repeat((longest - rest + 1) / 2)}`);
  assert.notEqual(socketFolderOf(layout), layout.run);
});

test('a data folder with a comma, which clients would split, has its sockets elsewhere', async () => {
  const layout = await layoutOf('/data,here');
  assert.notEqual(socketFolderOf(layout), layout.run);
});

test('a temporary folder with a path that is too long is replaced by /tmp', async () => {
  const layout = await layoutOf(`/${'d'.repeat(longest)}`);
  assert.match(socketFolderOf(layout, `/${'t'.repeat(longest)}`), /^\/tmp\/messenger-/);
});

test('the socket folder is private to the databases, and can be reused', async () => {
  const layout = await layoutOf(folder);
  await prepareSocketFolder(layout.run);
  await prepareSocketFolder(layout.run);
  const found = await stat(layout.run);
  assert.equal(found.mode & 0o777, 0o700);
  assert.equal(found.uid, process.geteuid?.());
});

test('a link in place of the socket folder is refused: its owner would receive the connections', async () => {
  await mkdir(join(folder, 'theirs'));
  await symlink(join(folder, 'theirs'), join(folder, 'link'));
  await assert.rejects(prepareSocketFolder(join(folder, 'link')), /is not a folder of/);
});

test('a socket folder of another user is refused, too', async () => {
  const ofRoot = '/usr';
  await assert.rejects(prepareSocketFolder(ofRoot), /is not a folder of/);
});
