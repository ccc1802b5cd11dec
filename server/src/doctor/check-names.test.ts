import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { checkNames } from './check-names.ts';

test('docs/operations.md lists exactly the checks of doctor', async () => {
  const text = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const [section = ''] = text.slice(text.indexOf('### The lines')).split('\n## ');
  const explained = [...section.matchAll(/^\| (?!line |-)([^|]+?) +\|/gmu)].map(([, name = '']) => name);
  const known: readonly string[] = checkNames;
  assert.deepEqual(explained.toSorted(), known.toSorted());
});
