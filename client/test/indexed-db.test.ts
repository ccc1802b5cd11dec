import assert from 'node:assert/strict';
import { test } from 'node:test';

import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';

import { waitFor } from '../../server/test/wait-for.ts';
import type { NewMessage } from '../src/api.ts';
import { systemClock } from '../src/clock.ts';
import { IndexedDbStorage, type IndexedDbScope } from '../src/indexed-db.ts';
import { Outbox, type OutboxEntry } from '../src/outbox.ts';
import { noAnswer } from '../src/api-error.ts';

/** Web Locks of one browser. */
function createLocks(): NonNullable<NonNullable<IndexedDbScope['navigator']>['locks']> {
  const last = new Map<string, Promise<unknown>>();
  return {
    request: async (name, task) => {
      const turn = (last.get(name) ?? Promise.resolve()).catch(() => undefined).then(task);
      last.set(name, turn);
      await turn;
    },
  };
}

function createBrowser(locks = createLocks()): IndexedDbScope {
  // oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call -- The types of this package need those of a browser.
  return { indexedDB: new IDBFactory(), IDBKeyRange, navigator: { locks } };
  // oxlint-enable typescript/no-unsafe-assignment, typescript/no-unsafe-call
}

let ids = 0;
let now = 0;

/** A tab whose sends end up in `sent`. */
function openTab(browser: IndexedDbScope, sent: string[], send?: (entry: OutboxEntry) => Promise<void>): Outbox {
  return new Outbox({
    storage: new IndexedDbStorage('ada', browser),
    clock: { ...systemClock, now: () => (now += 1) },
    random: () => 0,
    newId: () => `id-${(ids += 1)}`,
    send: async (entry) => {
      await send?.(entry);
      sent.push(entry.body);
      return { op: 'done', ref: '', number: sent.length };
    },
    isExpected: () => false,
    onChange: () => undefined,
    onSent: () => undefined,
  });
}

const text = (body: string): NewMessage => ({ body });

test('values are found by the beginnings of their keys, in the order of the keys', async () => {
  const storage = new IndexedDbStorage('ada', createBrowser());
  await storage.put('a/2', { n: 2 });
  await storage.put('a/1', { n: 1 });
  await storage.put('b/1', { n: 3 });
  assert.deepEqual(await storage.list('a/'), [{ n: 1 }, { n: 2 }]);
  await storage.delete('a/1');
  assert.deepEqual([await storage.get('a/1'), await storage.get('b/1')], [undefined, { n: 3 }]);
  await storage.close();
});

test('what was not sent survives a reload, in its order, and is gone from the storage when it was sent', async () => {
  const [browser, sent]: [IndexedDbScope, string[]] = [createBrowser(), []];
  const first = openTab(browser, sent);
  for (const body of ['one', 'two', 'three']) await first.add('c', text(body));
  const second = openTab(browser, sent);
  await second.load();
  assert.deepEqual(
    second.of('c').map(({ body }) => body),
    ['one', 'two', 'three'],
  );
  second.online('ada');
  await waitFor('all sends', () => sent.length === 3);
  assert.deepEqual(sent, ['one', 'two', 'three']);
  const left = new IndexedDbStorage('ada', browser);
  await waitFor('an empty storage', async () => (await left.list('outbox/')).length === 0);
});

test('two tabs send the messages of a conversation once and in the order in which they were written', async () => {
  const [browser, sent]: [IndexedDbScope, string[]] = [createBrowser(), []];
  const [one, other] = [openTab(browser, sent), openTab(browser, sent)];
  const bodies = Array.from({ length: 20 }, (_, i) => `message ${i}`);
  for (const [i, body] of bodies.entries()) await (i % 2 === 0 ? one : other).add('c', text(body));
  one.online('ada');
  other.online('ada');
  await waitFor('all sends', () => sent.length >= bodies.length);
  assert.deepEqual(sent, bodies);
  await waitFor('empty outboxes', () => one.of('c').length + other.of('c').length === 0);
  assert.equal(sent.length, bodies.length);
});

test('without Web Locks, tabs may repeat a send, but with the same id', async () => {
  const browser = { ...createBrowser(), navigator: {} };
  const [sent, stored]: [string[], Set<string>] = [[], new Set()];
  const send = async ({ id }: OutboxEntry): Promise<void> => void stored.add(id);
  const one = openTab(browser, sent, send);
  await one.add('c', text('once'));
  const other = openTab(browser, sent, send);
  await other.load();
  one.online('ada');
  other.online('ada');
  await waitFor('the send', () => one.of('c').length + other.of('c').length === 0);
  assert.equal(stored.size, 1);
});

test('a message of another account stays in the storage, and is not sent', async () => {
  const [browser, sent]: [IndexedDbScope, string[]] = [createBrowser(), []];
  const lost = async (): Promise<void> => {
    throw noAnswer('connection_lost', '');
  };
  const first = openTab(browser, sent, lost);
  first.online('ada');
  await first.add('c', text('by Ada'));
  const second = openTab(browser, sent);
  await second.load();
  second.online('bob');
  await second.add('c', text('by Bob'));
  await waitFor('the send', () => sent.length === 1);
  assert.deepEqual([sent, second.of('c').length], [['by Bob'], 0]);
  const third = openTab(browser, sent);
  await third.load();
  third.online('ada');
  await waitFor('the send', () => sent.length === 2);
  assert.deepEqual(sent, ['by Bob', 'by Ada']);
});

test('a storage that fails loses no message of this page', async () => {
  const sent: string[] = [];
  const broken = {
    ...createBrowser(),
    indexedDB: {
      open: () => {
        throw new Error('denied');
      },
    },
  };
  const outbox = openTab(broken, sent);
  outbox.online('ada');
  await assert.rejects(outbox.add('c', text('kept in memory')), /denied/u);
  await waitFor('the send', () => sent.length === 1);
});
