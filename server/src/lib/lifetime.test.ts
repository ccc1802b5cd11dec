import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LightLifetime } from './lifetime.ts';

test('listeners of a lifetime are called once, in order, with its reason', () => {
  const lifetime = new LightLifetime();
  const told: string[] = [];
  lifetime.addEventListener('abort', () => told.push('first'));
  lifetime.addEventListener('abort', { handleEvent: () => void told.push('second') });
  lifetime.addEventListener('abort', () => told.push('third'));
  lifetime.throwIfAborted();
  const reason = new Error('over');
  lifetime.abort(reason);
  lifetime.abort(new Error('once more'));
  assert.deepEqual(told, ['first', 'second', 'third']);
  assert.equal(lifetime.reason, reason);
  assert.throws(() => lifetime.throwIfAborted(), reason);
});

test('a removed listener is not called', () => {
  const lifetime = new LightLifetime();
  const told: string[] = [];
  const listeners = ['first', 'second', 'third'].map((name) => () => void told.push(name));
  for (const listener of listeners) lifetime.addEventListener('abort', listener);
  for (const listener of listeners.slice(0, 2)) lifetime.removeEventListener('abort', listener);
  lifetime.abort(new Error('over'));
  assert.deepEqual(told, ['third']);
});
