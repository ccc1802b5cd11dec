/** The package as it is published, in a folder of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';

import { build } from 'esbuild';

const client = join(import.meta.dirname, '..');
const root = join(client, '..');
const folder = mkdtempSync(join(tmpdir(), 'messenger-client-'));
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

before(() => {
  run(process.execPath, join(client, 'build.ts'));
  run('npm', 'pack', '--silent', join(client, 'dist'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? assert.fail('there is no package');
  run('npm', 'install', '--offline', '--silent', '--no-audit', '--no-fund', `./${tarball}`);
});
after(() => rmSync(folder, { recursive: true }));

/** Node 26 of this checkout, and the one that is installed on the machine. */
function nodes(): string[] {
  const found = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, 'node'));
  const installed = found.filter((path) => existsSync(path) && !path.includes('node_modules'));
  return [process.execPath, ...installed.slice(0, 1)];
}

const program = `
import { ApiError } from '@messenger/client/api-error';
import { IndexedDbStorage } from '@messenger/client/indexed-db';
import { Messenger } from '@messenger/client';
import { Rest } from '@messenger/client/rest';
class NoSocket { addEventListener() {} send() {} close() {} }
const client = new Messenger({ url: 'http://127.0.0.1:1', WebSocket: NoSocket });
client.start();
const entry = await client.send('c', 'Hello');
client.stop();
const error = await new Rest({ url: 'http://127.0.0.1:1' }).call('read_me').catch((reason) => reason);
console.log(entry.state, error instanceof ApiError, error.code, typeof IndexedDbStorage);
process.exit();
`;

test('it runs where it is installed, on every Node from 20 on', () => {
  writeFileSync(join(folder, 'program.mjs'), program);
  for (const node of nodes())
    assert.equal(run(node, 'program.mjs').trim(), 'sending true connection_failed function', node);
});

const typedProgram = `
import type { Conversation, Message } from '@messenger/client/api';
import { Messenger } from '@messenger/client';

const client: Messenger = new Messenger({ url: 'https://messenger.example', token: 'x', WebSocket });
const own: Conversation | undefined = client.conversations[0];
const end: () => void = client.follow('c', ({ messages }) => messages.map((message: Message) => message.body?.length));
const { account } = await client.rest.call('read_me');
const name: string = account.username;
for await (const page of client.rest.pages('list_members', { path: { conversation_id: 'c' } }))
  page.map(({ user }) => user?.first_name);
// @ts-expect-error The path is missing.
await client.rest.call('list_messages');
// @ts-expect-error There is no such call.
await client.rest.call('read_mind');
// @ts-expect-error An emoji is missing.
await client.call({ op: 'react', conversation_id: 'c', number: 1, on: true });
export { end, name, own };
`;

test('its types check a program of a user, in a browser and in Node', () => {
  writeFileSync(join(folder, 'program.ts'), typedProgram);
  const strict = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext'];
  run(join(root, 'node_modules/.bin/tsc'), ...strict, '--lib', 'es2022,dom', '--types', '', 'program.ts');
});

test('it contains only JavaScript, types, README and licence, and needs no other package', () => {
  const names = readdirSync(join(folder, 'node_modules/@messenger/client'));
  assert.deepEqual(
    names.filter((name) => !/\.(?:js|d\.ts)$/u.test(name)),
    ['LICENSE', 'README.md', 'package.json'],
  );
  const files = names.map((name) => readFileSync(join(folder, 'node_modules/@messenger/client', name), 'utf8'));
  assert.deepEqual(
    readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['@messenger'],
  );
  for (const text of files) assert.doesNotMatch(text, /from '(?!\.\/|@messenger\/client)/u);
});

test('all of it is at most 15 kB for a browser', async () => {
  const lines = ['messenger', 'indexed-db'].map((name) => `export * from './${name}.js';`);
  const { outputFiles } = await build({
    stdin: { contents: lines.join('\n'), resolveDir: join(client, 'dist') },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    platform: 'browser',
  });
  const bytes = brotliCompressSync(outputFiles[0]?.contents ?? assert.fail()).length;
  assert.ok(bytes > 1_000 && bytes <= 15_000, `${bytes} bytes`);
});
