import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { checkNames } from './check-names.ts';

test('every line that doctor can print is explained in docs/operations.md, and no other', async () => {
  const text = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const [section = ''] = text.slice(text.indexOf('### The lines')).split('\n## ');
  const explained = [...section.matchAll(/^\| (?!line |-)([^|]+?) +\|/gmu)].map(([, name = '']) => name);
  const known: readonly string[] = checkNames;
  assert.deepEqual(explained.toSorted(), known.toSorted());
});
