import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';

import { OperatorError } from '../lib/operator-error.ts';
import { askSecret } from './ask-secret.ts';

function startAsking() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = '';
  output.on('data', (chunk) => (shown += String(chunk)));
  const answer = askSecret('Password: ', input, output);
  answer.catch(() => undefined);
  return { input, answer, shown: () => shown };
}

test('the typed line is the answer, and is not shown', async () => {
  const { input, answer, shown } = startAsking();
  input.write('rg yzb olwx\u007Fm é');
  input.write('\r');
  assert.equal(await answer, 'rg yzb olwm é', 'backspace edits');
  assert.equal(shown(), 'Password: \n');
});

test('Ctrl-C and Ctrl-D cancel', async () => {
  for (const key of ['\u0003', '\u0004']) {
    const { input, answer } = startAsking();
    input.write(key);
    await assert.rejects(answer, OperatorError);
  }
});

test('two questions are answered one after the other', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const first = askSecret('1: ', input, output);
  input.write('a\r');
  assert.equal(await first, 'a');
  const second = askSecret('2: ', input, output);
  input.write('b\r');
  assert.equal(await second, 'b');
});
