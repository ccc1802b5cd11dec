import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CommanderError } from 'commander';

import { readOptions } from './options.ts';

test('five rounds of five seconds are the default, and fewer are possible', () => {
  assert.partialDeepStrictEqual(readOptions([]), { seconds: 5, rounds: 5 });
  assert.partialDeepStrictEqual(readOptions(['--quick']), { seconds: 2, rounds: 3 });
  assert.partialDeepStrictEqual(readOptions(['--quick', '--rounds', '9']), { seconds: 2, rounds: 9 });
  assert.equal(readOptions(['--only', 'pgbench']).only, 'pgbench');
});

test('the cost can be limited to some cells', () => {
  const args = ['--only', 'cost', '--calls', 'get,post', '--connections', '1,64', '--rates', '', '--no-pairs'];
  const expected = { only: 'cost', calls: ['get', 'post'], connections: [1, 64], rates: [], pairs: false };
  assert.partialDeepStrictEqual(readOptions(args), expected);
});

for (const args of [
  ['--calls', 'get,push'],
  ['--connections', '1,0'],
  ['--rounds', '0'],
  ['--seconds', '1.5'],
  ['--only', 'nothing'],
  ['--fast'],
  ['extra'],
]) {
  test(`${args.join(' ')} is refused`, (t) => {
    const said = t.mock.method(process.stderr, 'write', () => true);
    assert.throws(() => readOptions(args), CommanderError);
    assert.ok(said.mock.calls.some(({ arguments: [text] }) => String(text).includes(args.at(-1) ?? '')));
  });
}
