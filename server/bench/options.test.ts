import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CommanderError } from 'commander';

import { readOptions } from './options.ts';

test('five rounds of five seconds are measured, less when only a look is wanted', () => {
  assert.partialDeepStrictEqual(readOptions([]), { seconds: 5, rounds: 5 });
  assert.partialDeepStrictEqual(readOptions(['--quick']), { seconds: 2, rounds: 3 });
  assert.partialDeepStrictEqual(readOptions(['--quick', '--rounds', '9']), { seconds: 2, rounds: 9 });
  assert.equal(readOptions(['--only', 'pgbench']).only, 'pgbench');
});

for (const args of [['--rounds', '0'], ['--seconds', '1.5'], ['--only', 'nothing'], ['--fast'], ['extra']]) {
  test(`${args.join(' ')} is refused`, (t) => {
    const said = t.mock.method(process.stderr, 'write', () => true);
    assert.throws(() => readOptions(args), CommanderError);
    assert.ok(said.mock.calls.some(({ arguments: [text] }) => String(text).includes(args.at(-1) ?? '')));
  });
}
