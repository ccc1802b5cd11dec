import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Representation } from './representation.ts';

test('a shared body is compressed once per coding, and has one tag', () => {
  const body = new Representation('text/plain', 'x'.repeat(2_000), 'list');
  for (const coding of ['br', 'gzip'] as const) assert.equal(body.compressed(coding), body.compressed(coding));
  assert.notDeepEqual(body.compressed('br'), body.compressed('gzip'));
  assert.equal(body.tag, new Representation('text/plain', 'x'.repeat(2_000), 'file').tag);
  assert.notEqual(body.tag, new Representation('text/plain', 'y'.repeat(2_000), 'list').tag);
});

test('the first client of a body gets it as text, and all further ones the same bytes', () => {
  const body = new Representation('text/plain', 'é'.repeat(10), 'list');
  assert.equal(body.take(), 'é'.repeat(10));
  const bytes = body.take();
  assert.deepEqual(bytes, Buffer.from('é'.repeat(10)));
  assert.equal(body.take(), bytes);
});
