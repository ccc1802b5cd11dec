import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import { runProgram } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'messenger-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly said: string;
}

/** Runs the benchmark. With an aborted signal, as after Ctrl-C, it ends before the first measurement. */
async function run(
  args: readonly string[],
  { env = {}, stopping = new AbortController().signal }: { env?: Record<string, string>; stopping?: AbortSignal } = {},
): Promise<Outcome> {
  let said = '';
  const write = (text: string): void => {
    said += text;
  };
  const out = { write, isTerminal: false };
  const code = await runProgram(['tuning', ...args], { env, out, err: write, stopping, atOnce: stopping });
  return { code, said };
}

describe('bench:tuning', () => {
  test('an invalid option is named with its valid values', async () => {
    assert.match((await run(['--rounds', '2'])).said, /--rounds.*whole number from 3 to 99/u);
    assert.match((await run(['--rate', '1e3'])).said, /--rate.*whole number from 1 to 10000/u);
    assert.match((await run(['--slow'])).said, /unknown option '--slow'/u);
    assert.match((await run(['fast'])).said, /too many arguments/u);
    assert.equal((await run(['--rounds', '2'])).code, 2);
  });

  test('refuses a page that is not writable, and variables that would change its servers, at the start', async () => {
    const page = join(folder, 'empty.md');
    writeFileSync(page, '');
    assert.match((await run(['--page', page])).said, /must hold these two lines/u);
    assert.match((await run(['--page', join(folder, 'absent.md')])).said, /absent\.md cannot be read/u);
    const { code, said } = await run([], { env: { DB_WRITE_HOST: 'db.internal' } });
    assert.equal(code, 2);
    assert.match(said, /unset DB_WRITE_HOST/u);
  });

  test('--help lists its options', async () => {
    const { code, said } = await run(['--help']);
    assert.equal(code, 0);
    assert.match(said, /--quick +under ten minutes/u);
  });

  test('leaves the page and the temporary folders unchanged after Ctrl-C', async () => {
    const page = join(folder, 'performance.md');
    const text = readFileSync(new URL('../../../docs/performance.md', import.meta.url), 'utf8');
    writeFileSync(page, text);
    const ours = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('messenger-tuning-'));
    const before = ours();
    assert.equal((await run(['--page', page], { stopping: AbortSignal.abort() })).code, 130);
    assert.equal(readFileSync(page, 'utf8'), text);
    assert.deepEqual(
      ours().filter((name) => !before.includes(name)),
      [],
    );
  });
});
