/** The backup commands of docs/operations.md for the databases of a running server. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { withSession } from '../src/embedded/sql.ts';
import { createUser, run, useServers, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
let folder = '';
let dataDir = '';
let archive = '';
let backup = '';
let server: Run;
/** Between the creation of Ada and the total loss. */
let timeOfAda = '';
let counted: { readonly before: number; readonly after: number };

/** Runs a command to its end, and returns its error output if it failed. */
async function messenger(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const command = await run({ args, env: { MESSENGER_ARCHIVE_DIR: archive, ...env } });
  const code = await command.ended();
  assert.ok(!/\n +at /u.test(command.stderr), `a refusal has no stack:\n${command.stderr}`);
  return code === 0 ? '' : command.stderr;
}

async function create(to: Run, first: string): Promise<void> {
  assert.equal((await createUser(to, first)).status, 201);
}

async function ask(on: string, role: 'write' | 'read', sql: string): Promise<string> {
  const endpoint = (await embeddedEndpoints(on))[role];
  const rows = await withSession(
    endpoint,
    async (client) => (await client.query<{ answer: string }>(sql)).rows,
    'messenger',
  );
  return rows[0]?.answer ?? '';
}

const namesSql =
  "select coalesce(string_agg(first_name, ' ' order by first_name), '') as answer from users where first_name !~ '^n'";

before(async () => {
  folder = await servers.folder();
  await chmod(folder, 0o777);
  [dataDir, archive, backup] = [
    join(folder, 'data'),
    join(folder, "wal 100% 'archive'"),
    join(folder, 'backups', 'first'),
  ];
  await mkdir(join(folder, 'backups'));
  await chmod(join(folder, 'backups'), 0o777);
  server = await servers.start(dataDir, { env: { MESSENGER_ARCHIVE_DIR: archive } });
});

test('a backup during writes is complete, and the commands report what they cannot do', async () => {
  let written = 0;
  const over = new AbortController();
  const writing = (async () => {
    for (; !over.signal.aborted; written += 1) {
      await create(server, `n${written}`);
      await sleep(5); // Leaves the processor to the backup.
    }
  })();
  await waitFor('writes', () => written > 20);
  const atStart = written;
  assert.equal(await messenger(['backup', backup, '--data-dir', dataDir]), '');
  over.abort();
  await writing;
  counted = { before: atStart, after: written };
  const [exists, inUse, noServer] = await Promise.all([
    messenger(['backup', backup, '--data-dir', dataDir]),
    messenger(['restore', backup, '--data-dir', dataDir]),
    messenger(['backup', join(folder, 'other'), '--data-dir', join(folder, 'nothing')]),
  ]);
  assert.match(exists, /exists/u);
  assert.match(inUse, /in use/u);
  assert.match(noServer, /No server runs/u);
});

test("an operator's server is backed up with a separate role, and restored to a data directory", async () => {
  const { write, read } = await embeddedEndpoints(dataDir);
  const env = {
    DB_WRITE_HOST: write.host,
    DB_WRITE_PORT: String(write.port),
    DB_WRITE_USER: 'messenger',
    DB_WRITE_NAME: 'messenger',
    DB_READ_HOST: read.host,
    DB_READ_PORT: String(read.port),
    DB_READ_USER: 'messenger',
    DB_READ_NAME: 'messenger',
  };
  const to = join(folder, 'backups', 'external');
  const other = join(folder, 'others', 'refused');
  const pgdata = join(folder, 'pgdata');
  const [noRight, noTarget, done] = await Promise.all([
    messenger(['backup', other], { ...env, DB_BACKUP_USER: 'messenger_app' }),
    messenger(['restore', backup], env),
    messenger(['backup', to], { ...env, DB_BACKUP_USER: 'messenger_replication' }),
  ]);
  assert.match(noRight, /lacks the right REPLICATION/u);
  assert.match(noTarget, /--pgdata/u);
  assert.equal(done, '');
  assert.equal(await messenger(['restore', to, '--pgdata', pgdata]), '');
  const files = await readdir(pgdata);
  assert.deepEqual([files.includes('recovery.signal'), files.includes('standby.signal')], [true, false]);
});

test('after a total loss, the databases are restored to an earlier time, on a new timeline', async () => {
  await create(server, 'Ada');
  timeOfAda = await ask(dataDir, 'write', `select to_json(clock_timestamp()) #>> '{}' as answer`);
  await ask(dataDir, 'write', 'delete from users');
  await create(server, 'Grace');
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);

  const to = join(folder, 'restored');
  const restore = async (time: string): Promise<string> =>
    await messenger(['restore', backup, '--data-dir', to, '--to-time', time]);
  assert.match(await restore('2199-01-01T00:00:00Z'), /archive ends before 2199.*its last transaction is of \d{4}/u);
  assert.deepEqual(await readdir(to), []);
  assert.equal(await restore(timeOfAda), '');

  const restored = await servers.start(to, { env: { MESSENGER_ARCHIVE_DIR: archive } });
  assert.equal(await ask(to, 'write', namesSql), 'Ada');
  const total = Number(await ask(to, 'write', "select count(*) as answer from users where first_name ~ '^n'"));
  assert.equal(total, counted.after);
  await create(restored, 'Next');
  const onTimeline = 'select timeline_id as answer from pg_control_checkpoint()';
  await waitFor(
    'the new standby to follow',
    async () => (await ask(to, 'read', namesSql).catch(() => '')) === 'Ada Next',
  );
  assert.equal(Number(await ask(to, 'read', onTimeline)), 2);
  restored.kill('SIGTERM');
  assert.equal(await restored.ended(), 0);
  assert.ok((await readdir(archive)).includes('00000002.history'));
});

test('a backup is restored to its end, on a timeline that the archive does not have yet', async () => {
  const to = join(folder, 'alone');
  assert.equal(await messenger(['restore', backup, '--data-dir', to]), '');
  assert.match(await readFile(join(to, 'primary', 'PG_VERSION'), 'utf8'), /^18/u);
  // The archive already has timeline 2.
  assert.ok((await readdir(join(to, 'primary', 'pg_wal'))).includes('00000003.history'));
});
