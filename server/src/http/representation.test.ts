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
