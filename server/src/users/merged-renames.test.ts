import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mergeRenames, userAfter } from './merged-renames.ts';

const ada = {
  id: '1',
  first_name: 'Ada',
  last_name: 'Lovelace',
  created_at: '2026-01-28T12:00:00.000000Z',
  updated_at: '2026-01-28T12:00:00.000001Z',
};

test('the renames of one user are merged, with the last value of each name', () => {
  const merged = mergeRenames([
    { id: '1', names: { first_name: 'a' } },
    { id: '2', names: { last_name: 'b' } },
    { id: '1', names: { last_name: 'c' } },
    { id: '1', names: { first_name: 'd' } },
  ]);
  assert.deepEqual(merged, [
    { id: '1', names: { first_name: 'd', last_name: 'c' }, count: 3 },
    { id: '2', names: { last_name: 'b' }, count: 1 },
  ]);
});

test('a name that the database refuses is not replaced by a later one', () => {
  for (const bad of ['', 'x'.repeat(101), 'nul\0', '👩'.repeat(101)]) {
    const renames = [bad, '👩'.repeat(100)].map((name) => ({ id: '1', names: { first_name: name, last_name: 'b' } }));
    assert.deepEqual(mergeRenames(renames), [{ id: '1', names: { first_name: bad, last_name: 'b' }, count: 2 }]);
  }
});

test('an intermediate result has the names up to its rename, and a time before the later renames', () => {
  assert.deepEqual(userAfter(ada, {}, 0), ada);
  assert.deepEqual(userAfter(ada, { last_name: 'King' }, 1), {
    ...ada,
    last_name: 'King',
    updated_at: '2026-01-28T12:00:00.000000Z',
  });
});

test('that time may be in the previous second, day or year', () => {
  const late = { ...ada, updated_at: '2026-01-01T00:00:00.000001Z' };
  assert.equal(userAfter(late, {}, 3).updated_at, '2025-12-31T23:59:59.999998Z');
});
