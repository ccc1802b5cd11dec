/** The commands of docs/operations.md for the embedded databases, as they stand there: only the safe place is this test's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { withSession } from '../src/embedded/sql.ts';
import { read } from './deploy/files.ts';
import { processesOf, run, useServers, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();

/** The lines of the block below this title, without comments. */
function commandsBelow(title: string): string[] {
  const page = read('docs/operations.md');
  const start = page.indexOf(title);
  assert.ok(start >= 0, title);
  const block = /^```sh\n(?<lines>[^]*?)^```$/mu.exec(page.slice(start))?.groups?.['lines'] ?? '';
  return block
    .split('\n')
    .map((line) => line.replace(/ +#.*$/u, ''))
    .filter((line) => line !== '');
}

const shell = (folder: string, command: string): void =>
  void execFileSync('sh', ['-euc', command], { cwd: folder, stdio: 'pipe' });

async function create(server: Run, first: string): Promise<void> {
  const body = JSON.stringify({ first_name: first, last_name: 'Lovelace' });
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(`${server.url}/api/v1/users`, { method: 'POST', headers, body });
  assert.equal(status, 201);
}

async function namesOn(server: Run): Promise<string[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Were it another shape, the assertions would fail.
  const users = (await (await fetch(`${server.url}/api/v1/users`)).json()) as { first_name: string }[];
  return users.map((user) => user.first_name).toSorted();
}

test('a backup as the operations guide tells brings back what there was, after the loss of the primary', async () => {
  const folder = await servers.folder();
  const [safe, dataDir] = [join(folder, 'safe'), join(folder, 'data')];
  await mkdir(safe);
  const [stop = '', copy = '', ...more] = commandsBelow('**Embedded.**');
  assert.deepEqual(more, []);
  const first = await servers.start(dataDir);
  for (const name of ['Ada', 'Grace']) await create(first, name);
  shell(folder, stop);
  assert.equal(await first.ended(), 0);
  shell(folder, copy.replace('/somewhere/safe', safe));

  await rm(join(dataDir, 'primary'), { recursive: true });
  const [backup = ''] = await readdir(safe);
  const restore = commandsBelow('To restore, with the server stopped');
  assert.equal(restore.pop(), 'npm start');
  for (const command of restore)
    shell(folder, command.replace(/\/somewhere\/safe\/messenger-[\d-]+/u, join(safe, backup)));

  const restored = await servers.start(dataDir);
  assert.deepEqual(await namesOn(restored), ['Ada', 'Grace']);
  await create(restored, 'Next');
  restored.kill('SIGTERM');
  assert.equal(await restored.ended(), 0);
});

/** Runs a command that ends, and returns what it said when it failed. */
async function messenger(args: readonly string[]): Promise<string> {
  const command = await run({ args });
  const code = await command.ended();
  return code === 0 ? '' : command.stderr;
}

test('a backup under writes is restored on a timeline of its own, and a damaged one is refused', async () => {
  const folder = await servers.folder();
  await chmod(folder, 0o777);
  const [dataDir, backup] = [join(folder, 'data'), join(folder, 'backup')];
  const first = await servers.start(dataDir);
  let written = 0;
  const over = new AbortController();
  const writing = (async () => {
    for (; !over.signal.aborted; written += 1) await create(first, `n${written}`);
  })();
  await waitFor('writes', () => written > 20);
  const before = written;
  assert.equal(await messenger(['backup', backup, '--data-dir', dataDir]), '');
  assert.match(await messenger(['backup', backup, '--data-dir', dataDir]), /exists/u);
  over.abort();
  await writing;
  assert.match(await messenger(['restore', backup, '--data-dir', dataDir]), /not empty/u);
  first.kill('SIGKILL');
  await first.ended();
  await waitFor('the databases to end', () => processesOf(dataDir).length === 0, 20_000);
  await rm(dataDir, { recursive: true });

  assert.equal(await messenger(['restore', backup, '--data-dir', dataDir]), '');
  const restored = await servers.start(dataDir);
  const total = await countOn(dataDir, 'write', 'select count(*)::int as n from users');
  assert.ok(total >= before && total <= written, `${total} of ${before} to ${written}`);
  await create(restored, 'Next');
  const timeline = 'select timeline_id as n from pg_control_checkpoint()';
  assert.equal(
    await countOn(
      dataDir,
      'write',
      `select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as n`,
    ),
    2,
  );
  await waitFor(
    'the standby to be made anew',
    async () => (await countOn(dataDir, 'read', timeline).catch(() => 0)) === 2,
    30_000,
  );
  restored.kill('SIGTERM');
  assert.equal(await restored.ended(), 0);

  await writeFile(join(backup, 'primary', 'PG_VERSION'), '17');
  await rm(dataDir, { recursive: true });
  assert.match(await messenger(['restore', backup, '--data-dir', dataDir]), /is damaged: primary.PG_VERSION/u);
});

async function countOn(dataDir: string, role: 'write' | 'read', sql: string): Promise<number> {
  const endpoint = (await embeddedEndpoints(dataDir))[role];
  const rows = await withSession(
    endpoint,
    async (client) => (await client.query<{ n: number }>(sql)).rows,
    'messenger',
  );
  return rows[0]?.n ?? 0;
}
