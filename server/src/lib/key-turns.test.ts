import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GateRefusal } from './gate.ts';
import { KeyTurns } from './key-turns.ts';

const patient = new AbortController().signal;

/** Work that ends when the test says so. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const state = { isRunning: false };
  const use = async (): Promise<string> => {
    state.isRunning = true;
    return await promise.finally(() => {
      state.isRunning = false;
    });
  };
  return { state, use, end: resolve, fail: reject };
}

test('one key is held by one at a time, in the order in which they came; other keys do not wait', async () => {
  const turns = new KeyTurns(10);
  const order: number[] = [];
  const first = work();
  const held = turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use);
  const waiting = [1, 2, 3].map(async (n) =>
    turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => order.push(n)),
  );
  await turns.take('b', { signal: patient, timeoutMs: 10_000 }, async () => order.push(0));
  assert.deepEqual(order, [0]);
  first.end('done');
  assert.equal(await held, 'done');
  await Promise.all(waiting);
  assert.deepEqual(order, [0, 1, 2, 3]);
});

test('a failure passes the turn on, and is told to its own caller alone', async () => {
  const turns = new KeyTurns(10);
  const first = work();
  const held = assert.rejects(turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use), /broken/u);
  const next = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'next');
  first.fail(new Error('broken'));
  await held;
  assert.equal(await next, 'next');
});

test('the queue has a bound, all keys together, and a free key needs no place in it', async () => {
  const turns = new KeyTurns(1);
  const [a, b] = [work(), work()];
  const held = [
    turns.take('a', { signal: patient, timeoutMs: 10_000 }, a.use),
    turns.take('b', { signal: patient, timeoutMs: 10_000 }, b.use),
  ];
  const waiting = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'waited');
  await assert.rejects(
    turns.take('b', { signal: patient, timeoutMs: 10_000 }, async () => 'refused'),
    GateRefusal,
  );
  assert.equal(await turns.take('c', { signal: patient, timeoutMs: 10_000 }, async () => 'free'), 'free');
  a.end('a');
  b.end('b');
  await Promise.all(held);
  assert.equal(await waiting, 'waited');
  assert.equal(await turns.take('b', { signal: patient, timeoutMs: 10_000 }, async () => 'free again'), 'free again');
});

test('who went away leaves the queue, and takes no turn from those behind', async () => {
  const turns = new KeyTurns(2);
  const caller = new AbortController();
  const first = work();
  const held = turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use);
  const left = assert.rejects(
    turns.take('a', { signal: caller.signal, timeoutMs: 10_000 }, async () => assert.fail('nobody waits for this')),
    /gone/u,
  );
  const behind = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'behind');
  caller.abort(new Error('gone'));
  await left;
  const inFreedPlace = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'in the freed place');
  first.end('done');
  assert.deepEqual(await Promise.all([held, behind, inFreedPlace]), ['done', 'behind', 'in the freed place']);
});

test('who is gone already takes no place', async () => {
  const turns = new KeyTurns(1);
  const first = work();
  const held = turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use);
  const gone = AbortSignal.abort(new Error('gone'));
  await assert.rejects(
    turns.take('a', { signal: gone, timeoutMs: 10_000 }, async () => 'x'),
    /gone/u,
  );
  const waiting = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'waited');
  first.end('done');
  assert.deepEqual(await Promise.all([held, waiting]), ['done', 'waited']);
});

test('a caller that leaves when it is its turn already does not stop the others', async () => {
  const turns = new KeyTurns(10);
  const caller = new AbortController();
  const first = work();
  const held = turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use);
  const next = turns.take('a', { signal: caller.signal, timeoutMs: 10_000 }, async () => 'ran');
  const behind = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'behind');
  first.end('done');
  await held;
  caller.abort(new Error('gone'));
  assert.deepEqual(await Promise.all([next, behind]), ['ran', 'behind']);
});

test('a call that waits for too long is refused, and the next one gets the turn', async () => {
  const turns = new KeyTurns(10);
  const first = work();
  const held = turns.take('a', { signal: patient, timeoutMs: 10_000 }, first.use);
  const late = turns.take('a', { signal: patient, timeoutMs: 10 }, async () => assert.fail('its time is over'));
  const next = turns.take('a', { signal: patient, timeoutMs: 10_000 }, async () => 'next');
  await assert.rejects(late, GateRefusal);
  first.end('done');
  await held;
  assert.equal(await next, 'next');
});
