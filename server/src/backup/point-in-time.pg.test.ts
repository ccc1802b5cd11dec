/**
 * The commands of docs/operations.md, "Point in time", for an operator's server, with the test's own paths and time.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { read } from '../../test/deploy/files.ts';
import { makeTestFolder } from '../embedded/test-folder.ts';
import { eventually, soon } from '../embedded/test-pair.ts';
import { TestServer } from '../embedded/test-server.ts';
import { restoreDataDirectory } from './restore.ts';
import { takeBackup } from './take-backup.ts';

let primary: TestServer;
let folder = '';
let archive = '';

before(async () => {
  primary = await TestServer.createPrimary();
  folder = await makeTestFolder();
  archive = join(folder, 'wal');
  await mkdir(archive);
});

after(async () => {
  await primary.remove();
  await rm(folder, { recursive: true, force: true });
});

/** The first block of this language below the title of the part for operators' servers. */
function block(language: string): string {
  const page = read('docs/operations.md');
  const part = page.slice(page.indexOf('**Your own servers.** As superuser on the primary'));
  const found = new RegExp(String.raw`^\x60{3}${language}\n(?<lines>[^]*?)^\x60{3}$`, 'mu').exec(part);
  return (found?.groups?.['lines'] ?? '').replaceAll('/backup/wal', archive);
}

test("an operator's server with archived WAL is restored to a time before a mistake", async () => {
  for (const statement of block('sql')
    .split(';\n')
    .filter((one) => one !== ''))
    await primary.sql(statement);
  await primary.kill();
  await primary.start();
  await primary.sql('create table notes (text text)');
  const backup = join(folder, 'backup');
  await takeBackup({ folder: backup, kind: 'external', source: primary.endpoint, nowMs: () => 0 }, soon());
  await primary.sql("insert into notes values ('kept')");
  const [time] = await primary.sql<{ text: string }>('select clock_timestamp()::text as text');
  await primary.sql('delete from notes');
  const [wal] = await primary.sql<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name');
  const archived = 'select coalesce(last_archived_wal, $1) >= $2 as done from pg_stat_archiver';
  await eventually(async () => (await primary.sql<{ done: boolean }>(archived, ['', wal?.name]))[0]?.done === true);

  const command = block('sh').replace(/(?<=recovery_target_time = ')[^']*/u, time?.text ?? '');
  const restored = await TestServer.onFiles(async (dir) => {
    await restoreDataDirectory(backup, dir);
    execFileSync('sh', ['-euc', command.replace('/var/lib/postgresql/18/main', dir)]);
  });
  try {
    await eventually(async () => {
      const rows = await restored.sql<{ text: string; recovers: boolean }>(
        'select text, pg_is_in_recovery() as recovers from notes',
      );
      assert.deepEqual(rows, [{ text: 'kept', recovers: false }]);
      return true;
    });
  } finally {
    await restored.remove();
  }
});
