import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ablate, after, before, flagsOf, messenger, optimisations, type Configuration } from './configurations.ts';

const program = fileURLToPath(new URL('../../../server/bin/messenger.mjs', import.meta.url));

/** The effective values of the server by variable. Throws when it refuses the flags. */
function effective({ options }: Configuration): string {
  const { PATH = '', HOME = '' } = process.env;
  const args = [program, 'config', ...flagsOf(options)];
  return execFileSync(process.execPath, args, { encoding: 'utf8', env: { PATH, HOME } });
}

describe('the configurations', () => {
  for (const configuration of [before, after, messenger, ...optimisations.map(ablate)]) {
    test(`${configuration.name} is accepted by the server, with every value in effect`, () => {
      const lines = effective(configuration).split('\n');
      for (const [index, flag] of flagsOf(configuration.options).entries()) {
        if (index % 2 === 1) continue;
        const value = flagsOf(configuration.options)[index + 1] ?? '';
        const line = lines.find((one) => one.includes(flag));
        assert(line?.includes(value), `${flag} ${value} is in effect; the server says: ${line}`);
      }
    });
  }

  test('an option that the server does not know is refused', () => {
    assert.throws(() => effective({ name: 'wrong', options: { DB_WRITE_POOL: '1' } }), /unknown option/u);
  });

  test('before and after differ in every setting that an ablation removes', () => {
    for (const { name, without } of optimisations) {
      const changed = Object.entries(without).filter(([key, value]) => after.options[key] !== value);
      assert.deepEqual(Object.fromEntries(changed), without, name);
      for (const [key, value] of Object.entries(without)) assert.equal(before.options[key], value, `${name}: ${key}`);
    }
  });

  test('the configuration without options is called Messenger', () => {
    assert.deepEqual(flagsOf(messenger.options), []);
  });
});
