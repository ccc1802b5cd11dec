import assert from 'node:assert/strict';
import { test } from 'node:test';

import { exitCodes } from './io.ts';
import { runProgram } from './program.ts';

/** Runs a command line in this process. */
async function runCommand(...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  let text = '';
  const add = (part: string): void => void (text += part);
  const io = { env: {}, out: add, err: add, errIsTerminal: false, onSignal: () => undefined, exec: '', version: '0' };
  const code = await runProgram(args, io);
  return { code, text };
}

for (const command of ['start', 'config', 'db url', 'migrate up', 'migrate down', 'migrate status', 'migrate make'])
  test(`\`${command} --help\` has an example`, async () => {
    const { code, text } = await runCommand(...command.split(' '), '--help');
    assert.equal(code, exitCodes.ok);
    assert.match(text, /Example:\n +.*messenger /u);
  });

for (const line of ['strat', 'start --prot 1', 'migrate sideways', 'migrate down 0'])
  test(`an unknown command or flag is refused: ${line}`, async () => {
    const { code, text } = await runCommand(...line.split(' '));
    assert.equal(code, exitCodes.usage);
    assert.match(text, /error: .*\n/u);
  });
