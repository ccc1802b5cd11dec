import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { Turn } from './turn.ts';

let now = 0;
let turn: Turn;
let done: string[] = [];

beforeEach(() => {
  now = 0;
  done = [];
  turn = new Turn({ now: () => now });
});

function note(name: string): () => void {
  return () => void done.push(name);
}

test('tasks run at the end of a turn, in order and once', async () => {
  turn.atEnd(note('first'));
  turn.atEnd(note('second'));
  turn.tick();
  assert.deepEqual(done, []);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(done, ['first', 'second']);
});

test('a turn that takes too long ends at a tick', async () => {
  turn.atEnd(note('first'));
  now += 19;
  turn.tick();
  assert.deepEqual(done, []);
  turn.atEnd(note('second'));
  now += 1;
  turn.tick();
  assert.deepEqual(done, ['first', 'second']);
  await nextTurn();
  assert.equal(done.length, 2);
});

test('later tasks run at the end of the next turn', async () => {
  turn.atEnd(() => turn.atEnd(note('second')));
  now += 20;
  turn.tick();
  turn.tick();
  assert.deepEqual(done, []);
  now += 20;
  turn.tick();
  assert.deepEqual(done, ['second']);
  turn.atEnd(note('third'));
  await nextTurn();
  assert.deepEqual(done, ['second', 'third']);
});
