import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Gate, GateRefusal } from './gate.ts';

const longMs = 60_000;

function refusedBecause(reason: 'full' | 'timeout') {
  return (error: unknown): boolean => error instanceof GateRefusal && error.reason === reason;
}

test('callers enter at once while there is room, then in order of arrival', async () => {
  const gate = new Gate(1, 10);
  await gate.enter(longMs);
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (n) => {
    await gate.enter(longMs);
    order.push(n);
    gate.leave();
  });
  assert.equal(gate.waiting, 3);
  gate.leave();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(gate.inside, 0);
});

test('the queue has a bound', async () => {
  const gate = new Gate(1, 1);
  await gate.enter(longMs);
  const second = gate.enter(longMs);
  await assert.rejects(gate.enter(longMs), refusedBecause('full'));
  gate.leave();
  await second;
});

test('waiting has a deadline, and a caller that timed out takes no slot', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const gate = new Gate(1, 1);
  await gate.enter(longMs);
  const second = assert.rejects(gate.enter(100), refusedBecause('timeout'));
  t.mock.timers.tick(100);
  await second;
  assert.equal(gate.waiting, 0);
  gate.leave();
  assert.equal(gate.inside, 0);
});

test('an aborted caller leaves the queue', async () => {
  const gate = new Gate(1, 1);
  await gate.enter(longMs);
  const caller = new AbortController();
  const second = assert.rejects(gate.enter(longMs, caller.signal), /gone/);
  caller.abort(new Error('gone'));
  await second;
  assert.equal(gate.waiting, 0);
});

test('a caller that is already aborted takes no slot', async () => {
  const gate = new Gate(1, 1);
  await assert.rejects(gate.enter(longMs, AbortSignal.abort(new Error('gone'))), /gone/u);
  assert.equal(gate.inside, 0);
});
