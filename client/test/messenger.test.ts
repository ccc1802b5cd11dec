import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ClientFrame, Message } from '../src/api.ts';
import { Messenger } from '../src/messenger.ts';
import { MemoryStorage } from '../src/storage.ts';
import type { ConversationEvent } from '../src/store.ts';
import { me, ModelServer } from './model-server.ts';
import { VirtualClock } from './virtual-clock.ts';

interface Setting {
  readonly clock: VirtualClock;
  readonly server: ModelServer;
  readonly client: Messenger;
  readonly connect: () => Promise<Messenger>;
}

/** A client that is online, with one conversation. */
async function start(messages = 0): Promise<Setting> {
  const clock = new VirtualClock();
  const server = new ModelServer(clock, () => 0.5);
  const storage = new MemoryStorage();
  server.join('c');
  for (let i = 0; i < messages; i += 1) say(server, `text ${i + 1}`);
  let ids = 0;
  const connect = async (): Promise<Messenger> => {
    const { fetch, WebSocket } = server;
    const newId = (): string => `id-${(ids += 1)}`;
    const client = new Messenger({ url: 'http://model', fetch, WebSocket, clock, random: () => 0.5, storage, newId });
    client.start();
    await clock.pass(1_000);
    return client;
  };
  return { clock, server, connect, client: await connect() };
}

function say(server: ModelServer, body: string, sender = 'bob'): void {
  server.commit('c', (one, place) => void one.insert(place, sender, `${sender}-${place}`, { body }));
}

const bodiesOf = (messages: readonly Message[]): readonly unknown[] => messages.map(({ body }) => body);
const framesOf = (server: ModelServer, op: ClientFrame['op']): readonly ClientFrame[] =>
  server.frames.filter((frame) => frame.op === op);

test('a message shows at once, and until its conversation shows it', async () => {
  const { client, clock, server } = await start();
  client.follow('c', (event) => shown.push([event, client.unsent('c').length, client.messages('c').length]));
  const shown: [ConversationEvent, number, number][] = [];
  await clock.pass(1_000);
  await client.send('c', 'Hello');
  assert.deepEqual(
    client.unsent('c').map(({ body, state }) => [body, state]),
    [['Hello', 'sending']],
  );
  await clock.pass(1_000);
  assert.deepEqual([client.unsent('c'), bodiesOf(client.messages('c'))], [[], ['Hello']]);
  for (const [, unsent, stored] of shown.slice(1))
    assert.equal(unsent + stored, 1, 'it is never twice on the screen, nor gone');
  assert.equal(server.sends.length, 1);
});

test('what the server refuses for good stays until the person sends it again or discards it, also over a reload', async () => {
  const { client, clock, server, connect } = await start();
  await client.send('c', 'bad one');
  await client.send('c', 'bad two');
  await client.send('c', 'good');
  await clock.pass(5_000);
  assert.deepEqual(bodiesOf(server.conversations.get('c')?.messages ?? []), ['good']);
  client.stop();
  const again = await connect();
  assert.deepEqual(
    again.unsent('c').map(({ body, state, problem }) => [body, state, problem?.code]),
    [
      ['bad one', 'failed', 'not_permitted'],
      ['bad two', 'failed', 'not_permitted'],
    ],
  );
  const [one, two] = again.unsent('c');
  await again.discard(one?.id ?? '');
  const sends = server.sends.length;
  await again.retry(two?.id ?? '');
  await clock.pass(5_000);
  assert.deepEqual(server.sends.slice(sends), [two?.id]);
  assert.deepEqual(
    again.unsent('c').map(({ body }) => body),
    ['bad two'],
  );
});

test('a busy server is asked again, and a message that it cannot take does not hold up the next one for ever', async () => {
  const { client, clock, server } = await start();
  server.faults.refusals.push(503, 429, 500);
  await client.send('c', 'late');
  await clock.pass(60_000);
  assert.deepEqual(bodiesOf(server.conversations.get('c')?.messages ?? []), ['late']);
  server.faults.refusals.push(500, 500, 500, 500, 500);
  await client.send('c', 'poison');
  await client.send('c', 'next');
  await clock.pass(120_000);
  assert.deepEqual(bodiesOf(server.conversations.get('c')?.messages ?? []), ['late', 'next']);
  assert.deepEqual(
    client.unsent('c').map(({ body, state }) => [body, state]),
    [['poison', 'failed']],
  );
});

test('a client that is told to slow down waits that long', async () => {
  const { client, clock, server } = await start();
  server.send({ op: 'slow_down', after_ms: 5_000 });
  await clock.pass(100);
  await client.send('c', 'patient');
  await clock.pass(4_000);
  assert.equal(server.sends.length, 0);
  await clock.pass(2_000);
  assert.equal(server.sends.length, 1);
});

test('a long conversation begins with its newest page; older ones are loaded on request', async () => {
  const { client, clock } = await start(230);
  client.follow('c');
  await clock.pass(1_000);
  assert.equal(client.messages('c').at(0)?.number, 181);
  const more = client.loadOlder('c');
  await clock.pass(1_000);
  assert.equal(await more, true);
  assert.deepEqual(
    client.messages('c').map(({ number }) => number),
    Array.from({ length: 100 }, (_, i) => 131 + i),
  );
});

test('after a long absence a conversation begins with its newest page again', async () => {
  const { client, clock, server } = await start(10);
  client.follow('c');
  await clock.pass(1_000);
  server.cut();
  for (let i = 0; i < 2_100; i += 1) say(server, `missed ${i}`);
  await clock.pass(5_000);
  assert.equal(client.messages('c').length, 50);
  assert.equal(client.messages('c').at(-1)?.body, 'missed 2099');
  assert.ok(framesOf(server, 'open').length <= 2);
});

test('what was read shows at once, and is told when there is a connection', async () => {
  const { client, clock, server } = await start(3);
  assert.equal(client.conversation('c')?.me.unread, 3);
  server.cut();
  client.read('c', 2);
  assert.equal(client.conversation('c')?.me.unread, 1);
  client.read('c', 3);
  await clock.pass(5_000);
  assert.deepEqual([server.conversations.get('c')?.read, client.conversation('c')?.me.unread], [3, 0]);
  assert.equal(framesOf(server, 'read').length, 1, 'only the last one is told');
});

test('typing ends after six seconds, or with a message of the person', async () => {
  const { client, clock, server } = await start();
  client.follow('c');
  await clock.pass(1_000);
  server.send({ op: 'typing', conversation_id: 'c', user_id: 'bob' });
  await clock.pass(5_000);
  assert.deepEqual(client.typing('c'), ['bob']);
  await clock.pass(2_000);
  assert.deepEqual(client.typing('c'), []);
  server.send({ op: 'typing', conversation_id: 'c', user_id: 'bob' });
  await clock.pass(100);
  say(server, 'done');
  await clock.pass(100);
  assert.deepEqual(client.typing('c'), []);
});

test('own typing is told every three seconds at most', async () => {
  const { client, clock, server } = await start();
  for (let i = 0; i < 35; i += 1) {
    client.type('c');
    await clock.pass(200);
  }
  assert.equal(framesOf(server, 'typing').length, 3);
});

test('presence is asked for again after each connection, and unknown without one', async () => {
  const { client, clock, server } = await start();
  client.look(['bob']);
  await clock.pass(100);
  const online = { user_id: 'bob', state: 'online', last_seen_at: null } as const;
  server.send({ op: 'presence', people: [online, { ...online, user_id: 'eve' }] });
  await clock.pass(100);
  assert.deepEqual([client.presence('bob'), client.presence('eve')], [online, undefined]);
  server.cut();
  assert.equal(client.presence('bob'), undefined);
  await clock.pass(5_000);
  assert.equal(framesOf(server, 'look').length, 2);
});

test('how far others have read never goes back', async () => {
  const { client, clock, server } = await start(3);
  client.follow('c');
  for (const number of [2, 1]) server.send({ op: 'read', conversation_id: 'c', user_id: 'bob', number });
  await clock.pass(100);
  assert.deepEqual([...client.readBy('c')], [['bob', 2]]);
});

test('a listener that fails stops neither the client nor the other listeners', async (t) => {
  const { client, clock, server } = await start();
  const errors: unknown[] = [];
  const uncaught = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of uncaught) process.on('uncaughtException', listener);
  });
  client.follow('c', () => {
    throw new Error('of the listener');
  });
  let count = 0;
  const end = client.follow('c', ({ messages }) => {
    count += messages.length;
  });
  await clock.pass(100);
  say(server, 'one');
  await clock.pass(100);
  assert.equal(count, 1);
  assert.match(String(errors[0]), /of the listener/u);
  end();
  say(server, 'two');
  await clock.pass(100);
  assert.equal(count, 1);
});

test('a conversation that the person leaves disappears, and one that they join appears', async () => {
  const { client, clock, server } = await start(1);
  server.leave('c');
  server.join('d');
  await clock.pass(100);
  assert.deepEqual(
    client.conversations.map(({ id }) => id),
    ['d'],
  );
  assert.deepEqual([client.messages('c'), client.user?.id], [[], me]);
});
