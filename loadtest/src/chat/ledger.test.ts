import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Room } from '../../test/chat-room.ts';
import { Ledger, type Sent } from './ledger.ts';
import { Violations } from './violations.ts';

function prepare() {
  const violations = new Violations();
  const ledger = new Ledger('1', 'conversation 1', violations);
  ledger.startAt(7, 5);
  const send = (id: string): Sent => {
    const sent: Sent = { id, senderId: 'ada', body: id, dueMs: 0, outcome: 'uncertain' };
    ledger.send(sent);
    return sent;
  };
  const message = new Room(['ada']).send('ada', 'first', 'first');
  const kinds = (): string[] => violations.list().map(({ kind }) => kind);
  return { ledger, send, message, kinds };
}

test('two messages with one number: different order', () => {
  const { ledger, send, kinds } = prepare();
  ledger.acknowledge(send('first'), 6);
  ledger.acknowledge(send('second'), 6);
  assert.deepEqual(kinds(), ['different order']);
});

test('a message that was refused, and is shown: unknown message', () => {
  const { ledger, send, message, kinds } = prepare();
  send('first').outcome = 'refused';
  ledger.show({ ...message, number: 6 }, 'grace');
  assert.deepEqual(kinds(), ['unknown message']);
});

test('messages from before the run are known to nobody, and no violation', () => {
  const { ledger, message, kinds } = prepare();
  assert.equal(ledger.show({ ...message, number: 5 }, 'grace'), undefined);
  assert.deepEqual(kinds(), []);
});

test('a number that is shown before its message is known waits for it', () => {
  const { ledger, send } = prepare();
  const known: string[] = [];
  ledger.whenKnown(6, ({ id }) => known.push(id));
  assert.equal(known.length, 0);
  ledger.acknowledge(send('first'), 6);
  ledger.whenKnown(6, ({ id }) => known.push(id));
  assert.deepEqual(known, ['first', 'first']);
});

test('messages are counted one by one, also those from before the run', () => {
  const { ledger, send } = prepare();
  ledger.acknowledge(send('first'), 6);
  ledger.acknowledge(send('second'), 7);
  assert.deepEqual(
    [3, 5, 6, 7].map((number) => ledger.countAfter(number)),
    [4, 2, 1, 0],
  );
});
