import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clientFrames, serverFrames } from '@messenger/protocol/frames';

import { describeSocket } from './async-api.ts';

const document = describeSocket({ title: 'Messenger', version: '1.0.0' });

function at(path: string): unknown {
  return path.split('/').reduce<unknown>((value, key) => entriesOf(value)[key], document);
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function* referencesIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value))
    if (key === '$ref') yield String(inner);
    else yield* referencesIn(inner);
}

test('every frame is described, with its schema', () => {
  const keys = [
    ...Object.keys(clientFrames).map((op) => `client.${op}`),
    ...Object.keys(serverFrames).map((op) => `server.${op}`),
  ];
  assert.deepEqual(Object.keys(entriesOf(at('components/messages'))), keys);
  assert.deepEqual(Object.keys(entriesOf(at('channels/socket/messages'))), keys);
  for (const key of keys) {
    assert.equal(at(`components/messages/${key}/payload/type`), 'object', key);
    assert.equal(typeof at(`components/messages/${key}/summary`), 'string', key);
  }
});

test('every reference of the document leads somewhere', () => {
  const references = [...referencesIn(document)];
  assert.ok(references.length > 50);
  for (const reference of references) assert.ok(at(reference.slice(2)) !== undefined, reference);
});
