import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { cannotMount, mountSmallDisk, type SmallDisk } from '../../test/small-disk.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { makeTestFolder } from '../embedded/test-folder.ts';
import { eventually, soon } from '../embedded/test-pair.ts';
import { TestServer } from '../embedded/test-server.ts';
import { chooseSource } from './choose-source.ts';
import { listBackups, readOutcomes } from './record.ts';
import { restoreDataDirectory } from './restore.ts';
import { takeBackup } from './take-backup.ts';

let primary: TestServer;
let standby: TestServer;
let folder = '';
let clockMs = 0;

let disk: SmallDisk | undefined;

before(async () => {
  // While this process is root.
  if (cannotMount === false) disk = await mountSmallDisk(64);
  primary = await TestServer.createPrimary();
  standby = await TestServer.createStandby(primary);
  folder = await makeTestFolder();
  await primary.sql('create table notes (text text)');
});

after(async () => {
  for (const server of [standby, primary]) await server.remove();
  await rm(folder, { recursive: true, force: true });
  await disk?.remove();
});

async function backUp(to: string, source: Endpoint, keep?: number): Promise<void> {
  const nowMs = (): number => (clockMs += 1_000);
  await takeBackup({ folder: to, kind: 'external', source, keep, nowMs }, soon());
}

const visible = async (parent: string): Promise<string[]> =>
  (await readdir(parent)).filter((name) => name !== 'last-backup.json' && !name.includes('lock')).toSorted();

test('a backup of a standby contains all earlier commits, and works when restored', async () => {
  const notes: string[] = [];
  const source = await chooseSource(
    { write: primary.endpoint, reads: [standby.endpoint] },
    (text) => notes.push(text),
    soon(),
  );
  assert.deepEqual(notes, []);
  assert.deepEqual(source, standby.endpoint);
  await primary.sql("insert into notes select 'n' || generate_series(1, 1000)");
  await chooseSource({ write: primary.endpoint, reads: [standby.endpoint] }, () => undefined, soon());
  const backup = join(folder, 'standby', 'first');
  await backUp(backup, source);
  await primary.sql("insert into notes values ('later')");

  const restored = await TestServer.onFiles(async (dir) => restoreDataDirectory(backup, dir));
  try {
    await eventually(async () => {
      const [state] = await restored.sql<{ recovers: boolean }>('select pg_is_in_recovery() as recovers');
      return state?.recovers === false;
    });
    await restored.sql("insert into notes values ('next')");
    const [row] = await restored.sql<{ count: number; later: number; timeline: string }>(
      `select count(*)::int as count, count(*) filter (where text = 'later')::int as later,
         substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline from notes`,
    );
    assert.deepEqual(row, { count: 1001, later: 0, timeline: '00000002' });
  } finally {
    await restored.remove();
  }
});

test('without an up-to-date standby, the backup is taken from the primary, and the reason is reported', async () => {
  const notes: string[] = [];
  const note = (text: string): void => void notes.push(text);
  const away = { ...standby.endpoint, port: 1 };
  assert.deepEqual(await chooseSource({ write: primary.endpoint, reads: [away] }, note, soon()), primary.endpoint);
  assert.match(notes.join(), /not taken from 127\.0\.0\.1:1: .*ECONNREFUSED/u);
});

test('a role without REPLICATION is refused with the remedy, and nothing is left of the backup', async () => {
  await primary.sql('create role plain login');
  const parent = join(folder, 'refused');
  const refused = backUp(join(parent, 'one'), { ...primary.endpoint, user: 'plain' });
  await assert.rejects(refused, /"plain" lacks the right REPLICATION[^]*DB_BACKUP_USER/u);
  assert.deepEqual(await visible(parent), []);
  assert.ok((await readOutcomes(parent)).failedMs !== undefined);
});

test(
  'a backup that does not fit fails before the disk is full, and leaves nothing',
  { skip: cannotMount },
  async () => {
    assert.ok(disk !== undefined);
    await assert.rejects(
      backUp(join(disk.folder, 'one'), primary.endpoint),
      /^OperatorError: No space left for the backup/u,
    );
    assert.deepEqual(await visible(disk.folder), []);
  },
);

test('a tablespace is refused before anything is copied', async () => {
  const place = join(folder, 'tablespace');
  await mkdir(place);
  await primary.sql(`create tablespace elsewhere location '${place}'`);
  try {
    await assert.rejects(backUp(join(folder, 'spaces', 'one'), primary.endpoint), /tablespace .*pg_basebackup/u);
    assert.deepEqual(await visible(join(folder, 'spaces')), []);
  } finally {
    await primary.sql('drop tablespace elsewhere');
  }
});

test('a changed, missing or foreign file of a backup prevents its restore, and leaves nothing behind', async () => {
  const parent = join(folder, 'damage');
  const target = join(parent, 'restored');
  const whole = join(parent, 'whole');
  await backUp(whole, primary.endpoint);
  const damages: readonly (readonly [file: RegExp, act: (path: string) => Promise<void>])[] = [
    [/^PG_VERSION$/u, async (path) => appendFile(path, ' ')],
    [/^global\/pg_control$/u, async (path) => rm(path)],
    [/^pg_wal\/[0-9A-F]{24}$/u, async (path) => appendFile(path, ' ')],
    [/^backup_manifest$/u, async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('2', '3'))],
    [/^base$/u, async (path) => appendFile(join(path, 'foreign'), ' ')],
  ];
  for (const [index, [file, act]] of damages.entries()) {
    const backup = join(parent, String(index));
    await cp(whole, backup, { recursive: true });
    const data = join(backup, 'data');
    const found = (await readdir(data, { recursive: true })).find((name) => file.test(name)) ?? '';
    await act(join(data, found));
    await assert.rejects(restoreDataDirectory(backup, target), /is damaged: .*Use another/u, found);
    assert.ok(!(await readdir(parent)).some((name) => name.startsWith('restored')), found);
  }
});

test('only the newest backups are kept; one that fails removes none', async () => {
  const parent = join(folder, 'kept');
  for (const name of ['a', 'b', 'c']) await backUp(join(parent, name), primary.endpoint, 2);
  assert.deepEqual(await visible(parent), ['b', 'c']);
  await assert.rejects(backUp(join(parent, 'd'), { ...primary.endpoint, port: 1 }, 1), /ECONNREFUSED/u);
  assert.deepEqual(await visible(parent), ['b', 'c']);
  assert.deepEqual(
    (await listBackups(parent)).map((one) => one.folder),
    [join(parent, 'c'), join(parent, 'b')],
  );
  const { folder: newest, failedMs = 0, succeededMs = 0 } = await readOutcomes(parent);
  assert.equal(newest, 'c');
  assert.ok(failedMs > succeededMs);
  await backUp(join(parent, 'e'), primary.endpoint, 1);
  assert.deepEqual(await visible(parent), ['e']);
});

test('leftovers of a killed backup are removed, and a folder in use is refused', async () => {
  const parent = join(folder, 'killed');
  await mkdir(join(parent, '.unfinished-backup-0123abcd', 'data'), { recursive: true });
  const both = await Promise.allSettled([
    backUp(join(parent, 'one'), primary.endpoint),
    backUp(join(parent, 'two'), primary.endpoint),
  ]);
  const reasons = both.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
  assert.match(reasons.join(), /^OperatorError: Another backup/u);
  assert.deepEqual((await visible(parent)).length, 1);
  const [done = ''] = await visible(parent);
  await assert.rejects(backUp(join(parent, done), primary.endpoint), /exists/u);
});
