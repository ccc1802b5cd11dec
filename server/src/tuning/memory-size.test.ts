import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseMemorySize, showMemorySize } from './memory-size.ts';

test('sizes are read with units of 1024, in either case, and with or without a space', () => {
  assert.deepEqual(['256MB', '16GB', '1.5TB', '2 gb'].map(parseMemorySize), [
    256 * 2 ** 20,
    16 * 2 ** 30,
    1.5 * 2 ** 40,
    2 * 2 ** 30,
  ]);
});

test('ambiguous text is not parsed as a size', () => {
  for (const text of ['', '16', 'GB', '-1GB', '1e3MB', '16KB', '16GiB', '1,5GB']) {
    assert.equal(parseMemorySize(text), undefined, text);
  }
});

test('sizes are shown as PostgreSQL reads them', () => {
  assert.deepEqual([2 ** 30, 1.5 * 2 ** 30, 256.9 * 2 ** 20, 0].map(showMemorySize), ['1GB', '1536MB', '256MB', '1MB']);
});
