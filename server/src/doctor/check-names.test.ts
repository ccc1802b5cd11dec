import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { checkNames } from './check-names.ts';

test('docs/operations.md lists exactly the checks of doctor', async () => {
  const text = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const [table = ''] = text.slice(text.indexOf('| area ')).split('\n\n');
  const explained = [...table.replaceAll(/\([^)]*\)/gu, '').matchAll(/`([^`]+)`/gu)].map(([, name = '']) => name);
  const known: readonly string[] = checkNames;
  assert.deepEqual(explained.toSorted(), known.toSorted());
});
