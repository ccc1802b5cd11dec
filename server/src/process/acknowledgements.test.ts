import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Acknowledgements } from './acknowledgements.ts';

async function outcomeOf(request: Promise<void>): Promise<'acknowledged' | 'open'> {
  const later = new Promise<'open'>((resolve) => {
    setImmediate(() => resolve('open'));
  });
  return await Promise.race([request.then(() => 'acknowledged' as const), later]);
}

test('each request waits for its own acknowledgement', async () => {
  const acknowledgements = new Acknowledgements();
  const sent: number[] = [];
  const [first, second] = [1, 2].map(() => acknowledgements.request((number) => sent.push(number)));
  assert(first && second);
  acknowledgements.received(sent[1] ?? 0);
  assert.deepEqual([await outcomeOf(first), await outcomeOf(second)], ['open', 'acknowledged']);
});

test('a process that has ended keeps no request open', async () => {
  const acknowledgements = new Acknowledgements();
  const open = acknowledgements.request(() => undefined);
  assert.equal(await outcomeOf(open), 'open');
  acknowledgements.end();
  assert.equal(await outcomeOf(open), 'acknowledged');
  const late = acknowledgements.request(() => assert.fail('sent to a process that has ended'));
  assert.equal(await outcomeOf(late), 'acknowledged');
});
