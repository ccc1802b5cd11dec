/** The tool as a process against a server that needs a session. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { LyingServer, type Lie } from './lying-server.ts';
import { runTool } from './tool.ts';

const token = 'Zq3_kw-jhgplm.~+/Zq3kwjhgplm=';
const refuse: Lie = (reply, { request }) =>
  request.headers.authorization === `Bearer ${token}`
    ? reply
    : { status: 401, body: { code: 'unauthenticated', detail: request.headers.authorization } };

const server = new LyingServer(refuse);
let folder = '';
let baseUrl = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'messenger-token-'));
  baseUrl = await server.listen();
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function fileWith(text: string): Promise<string> {
  const path = join(folder, `token-${text.length}`);
  await writeFile(path, text);
  return path;
}

/** Whatever the verdict on speed: on a busy machine the generator is late. */
function assertServed({ report, err, out }: Awaited<ReturnType<typeof runTool>>): void {
  assert.ok((report?.total.ok ?? 0) >= 5, err + out);
  assert.equal(report?.total.failed, 0);
}

describe('a session of the load test', { concurrency: 3 }, () => {
  const args = () => ['--base-url', baseUrl, '--type', 'smoke', '--duration', '2', '--assert', 'failed=0'];

  test('the token of a file goes with each request, and into no report', async () => {
    const run = await runTool([...args(), '--token-file', await fileWith(`${token}\n`)]);
    assertServed(run);
    assert.match(run.written, /<html/u);
    for (const text of [run.out, run.err, run.written]) assert.ok(!text.includes(token.slice(0, 10)));
  });

  test('so does the token of LOADTEST_TOKEN', async () => {
    const run = await runTool(args(), { env: { LOADTEST_TOKEN: token } });
    assertServed(run);
  });

  const refusals: Readonly<Record<string, readonly [RegExp, text: string | undefined, ...args: string[]]>> = {
    'no token': [/needs a session.*--token-file/u, undefined],
    'the token of another session': [/refuses the token.*Sign in again/u, token.replace('Z', 'Y')],
    'a file with more than a token': [/token-\d+ does not contain the token of a session alone/u, `token: ${token}`],
    'an empty file': [/does not contain the token/u, '\n'],
    'a token for a server that --start starts': [/has no sessions/u, token, '--start'],
  };
  for (const [name, [reason, text, ...rest]] of Object.entries(refusals))
    test(`${name}: one message without the token, exit code 2`, async () => {
      const given = text === undefined ? [] : ['--token-file', await fileWith(text)];
      const run = await runTool([...args(), ...given, ...rest]);
      assert.match(run.err, reason);
      assert.ok(!run.err.includes(token.slice(1, 10)), run.err);
      assert.equal(run.code, 2);
    });

  test('a file that is not there: one message, exit code 2', async () => {
    const run = await runTool([...args(), '--token-file', join(folder, 'absent')]);
    assert.match(run.err, /^The token file \S+absent cannot be read\.\n$/u);
    assert.equal(run.code, 2);
  });
});
