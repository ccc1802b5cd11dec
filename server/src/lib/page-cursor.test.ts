import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assert as property, date, nat, property as forAll, string, uuid } from 'fast-check';

import { decodeCursor, encodeCursor } from './page-cursor.ts';

const id = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
const years = { min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true };

test('a cursor decodes to the same place, with all microseconds', () => {
  property(
    forAll(date(years), nat(999_999), uuid(), (day, micros, user) => {
      const createdAt = `${day.toISOString().slice(0, 19)}.${String(micros).padStart(6, '0')}Z`;
      assert.deepEqual(decodeCursor(encodeCursor({ createdAt, id: user })), { createdAt, id: user });
    }),
  );
});

test('a cursor may omit trailing zeros, as PostgreSQL does', () => {
  for (const createdAt of ['2026-01-28T12:00:00Z', '2026-01-28T12:00:00.5Z']) {
    assert.deepEqual(decodeCursor(encodeCursor({ createdAt, id })), { createdAt, id });
  }
});

test('text that is not a cursor is refused', () => {
  property(forAll(string(), (garbage) => assert.equal(decodeCursor(garbage), undefined)));
  for (const createdAt of [
    '0000-01-01T00:00:00Z',
    '2026-02-30T12:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-28T25:00:00Z',
    'infinity',
  ]) {
    assert.equal(decodeCursor(encodeCursor({ createdAt, id })), undefined);
  }
  assert.equal(decodeCursor(encodeCursor({ createdAt: '2026-01-28T12:00:00Z', id: 'not-a-uuid' })), undefined);
});
