import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AppError } from '../lib/app-error.ts';
import { readIdempotencyKey } from './idempotency-key.ts';

const read = (header: string): string | undefined => readIdempotencyKey({ 'idempotency-key': header });

test('a key is read with quotes and without, as the same key', () => {
  const uuid = '8e03978e-40d5-43dd-bc93-6894a57f9324';
  assert.equal(read(uuid), uuid);
  assert.equal(read(`"${uuid}"`), uuid);
  assert.equal(read(String.raw`"a \"b\" \\ c, ~!"`), String.raw`a "b" \ c, ~!`);
  assert.equal(read('x'.repeat(255)), 'x'.repeat(255));
  assert.equal(readIdempotencyKey({}), undefined);
});

const malformed = ['', '""', 'a b', '"a', 'a"', '"a", "b"', 'a, b', '"a";q=1', String.raw`"a\b"`, '"ü"', 'ü', "'a'"];
for (const header of [...malformed, 'x'.repeat(256), `"${'x'.repeat(256)}"`])
  test(`${header.slice(0, 10) || 'an empty key'} is refused, and the error names the header`, () => {
    assert.throws(
      () => read(header),
      (error) =>
        error instanceof AppError && error.code === 'invalid_request' && error.errors?.[0]?.field === 'Idempotency-Key',
    );
  });
