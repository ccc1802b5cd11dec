/** The commands of docs/operations.md for the embedded databases, as they stand there: only the safe place is this test's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { read } from './deploy/files.ts';
import { useServers, type Run } from './start-server.ts';

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
