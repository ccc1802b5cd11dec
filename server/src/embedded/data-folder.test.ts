import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { assertServable, type DataLayout, layoutOf, prepareDataFolder, removeLeftovers } from './data-folder.ts';
import { makeTestFolder } from './test-folder.ts';

let folder: string;
let layout: DataLayout;

beforeEach(async () => {
  folder = await makeTestFolder();
  layout = await layoutOf(join(folder, 'new', 'data'));
});

afterEach(async () => rm(folder, { recursive: true }));

test('a new data folder is created, with its parents', async () => {
  await prepareDataFolder(layout);
  assert.equal(await assertServable(layout), 'new');
});

test('a path that is a file is refused', async () => {
  await mkdir(join(folder, 'new'));
  await writeFile(layout.root, '');
  await assert.rejects(prepareDataFolder(layout), /not a folder.*MESSENGER_DATA_DIR/);
});

test('a folder with foreign files is refused and stays unchanged', async () => {
  await mkdir(layout.root, { recursive: true });
  await writeFile(join(layout.root, 'thesis.odt'), '');
  await assert.rejects(prepareDataFolder(layout), /contains "thesis.odt" and was not created by Messenger/);
  assert.deepEqual(await readdir(layout.root), ['thesis.odt']);
});

test('the root of a new volume counts as empty', async () => {
  await mkdir(join(layout.root, 'lost+found'), { recursive: true });
  await prepareDataFolder(layout);
});

test('data of another major version is refused, with both versions and the remedy', async () => {
  await mkdir(layout.primary, { recursive: true });
  await writeFile(join(layout.primary, 'PG_VERSION'), '17\n');
  await assert.rejects(assertServable(layout), /PostgreSQL 17, and this is PostgreSQL 18.*pg_dump.*MESSENGER_DATA_DIR/);
});

test('a standby without its primary is refused: an empty primary would replace the only copy of the data', async () => {
  await mkdir(layout.standby, { recursive: true });
  await assert.rejects(assertServable(layout), /its primary .* is gone/);
});

test('leftovers of an interrupted rebuild are removed, and nothing else', async () => {
  for (const name of ['primary', 'standby', 'run', 'standby.new-00c0ffee', 'standby.old-00c0ffee', 'standby.backup'])
    await mkdir(join(layout.root, name, 'base'), { recursive: true });
  await removeLeftovers(layout);
  assert.deepEqual((await readdir(layout.root)).toSorted(), ['primary', 'run', 'standby', 'standby.backup']);
});
