import assert from 'node:assert/strict';
import { test } from 'node:test';

import { signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';
import { useRealtime } from '../../test/realtime.ts';
import { SocketClient } from '../../test/socket-client.ts';
import { waitFor } from '../../test/wait-for.ts';

const database = useDatabase();
const realtime = useRealtime(database, { env: { RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' }, maxOpen: 8 });

let ada: Client;
let bob: Client;
let eve: Client;
let group = '';

const connect = async ({ token }: Client, worker = 0): Promise<SocketClient> =>
  SocketClient.hello(realtime().workers[worker]?.port ?? assert.fail(), token);

test('two people have a group, and one has none', async () => {
  const [app = assert.fail()] = realtime().workers;
  ada = await signUp(app, 'ada');
  bob = await signUp(app, 'bob');
  eve = await signUp(app, 'eve');
  group = await insertConversation(database(), 'group', [
    [ada, 'owner'],
    [bob, 'member'],
  ]);
});

test('typing is seen by those who have the conversation open, once in three seconds, and by nobody who is blocked', async () => {
  const [from, to, stranger] = [await connect(ada, 0), await connect(bob, 1), await connect(eve, 1)];
  await to.open(group);
  for (let count = 0; count < 5; count += 1) from.say({ op: 'typing', conversation_id: group });
  stranger.say({ op: 'typing', conversation_id: group });
  await waitFor('typing', () => to.all('typing').length > 0);
  await from.ask({ op: 'read', conversation_id: group, number: 0 });
  assert.deepEqual(to.all('typing'), [{ op: 'typing', conversation_id: group, user_id: ada.userId }]);
  assert.equal(await bob.outcome('PUT', `/me/blocks/${ada.userId}`), '204');
  await database().replicated();
  from.say({ op: 'typing', conversation_id: group });
  to.say({ op: 'typing', conversation_id: group });
  await from.open(group);
  const other = await connect(ada, 1);
  await other.open(group);
  // The next message of the log is behind the typing that nobody may see.
  await sendMessage(bob, group, 'after it');
  await waitFor('the message', () => other.bodies(group).length === 1 && from.bodies(group).length === 1);
  assert.deepEqual([from.all('typing'), other.all('typing')], [[], []]);
  assert.equal(await bob.outcome('DELETE', `/me/blocks/${ada.userId}`), '204');
  await Promise.all([from, to, stranger, other].map(async (one) => one.close()));
});

test('what others have read is told, unless one of both keeps it private', async () => {
  const [reader, writer] = [await connect(bob, 0), await connect(ada, 1)];
  assert.equal(await writer.open(group), 'done');
  const readNext = async (): Promise<number> => {
    const { number } = await sendMessage(ada, group, 'read this');
    assert.equal((await reader.ask({ op: 'read', conversation_id: group, number })).op, 'done');
    await waitFor('the own state', () => reader.heads.get(group)?.me.read_number === number);
    return number;
  };
  let number = 0;
  await waitFor('a receipt, which may be lost', async () => {
    number = await readNext();
    return writer.all('read').length > 0;
  });
  await waitFor('the receipt', () => writer.all('read').at(-1)?.number === number);
  assert.equal(writer.all('read').at(-1)?.user_id, bob.userId);
  assert.equal(await bob.outcome('PATCH', '/me', { reads_private: true }), '200');
  await database().replicated();
  const told = writer.all('read').length;
  await readNext();
  const last = await sendMessage(ada, group, 'after it');
  await waitFor('the message', () => writer.held.get(group)?.last_number === last.number);
  assert.equal(writer.all('read').length, told);
  assert.equal(await bob.outcome('PATCH', '/me', { reads_private: false }), '200');
  await Promise.all([reader, writer].map(async (one) => one.close()));
});

const stateOf = (socket: SocketClient, { userId }: Client) =>
  socket
    .all('presence')
    .flatMap(({ people }) => people)
    .findLast(({ user_id: id }) => id === userId);

test('presence is told to those who look, and only of people who share a conversation and allow it', async () => {
  const watcher = await connect(ada, 0);
  const stranger = await connect(eve, 0);
  watcher.say({ op: 'look', user_ids: [bob.userId, eve.userId] });
  stranger.say({ op: 'look', user_ids: [bob.userId] });
  await waitFor('the absence', () => stateOf(watcher, bob)?.state === 'offline');
  const first = await connect(bob, 1);
  watcher.say({ op: 'look', user_ids: [bob.userId] });
  await waitFor('the presence', () => stateOf(watcher, bob)?.state === 'online');
  first.say({ op: 'away', away: true });
  await waitFor('the other state', () => stateOf(watcher, bob)?.state === 'away');
  const second = await connect(bob, 0);
  watcher.say({ op: 'look', user_ids: [bob.userId] });
  await waitFor('the second device', () => stateOf(watcher, bob)?.state === 'online');
  await first.close();
  second.kill();
  await waitFor('the end', () => stateOf(watcher, bob)?.state === 'offline');
  assert.match(String(stateOf(watcher, bob)?.last_seen_at), /^20\d\d-/u);
  assert.deepEqual([stateOf(watcher, eve), stranger.all('presence')], [undefined, []]);
  await Promise.all([watcher, stranger].map(async (one) => one.close()));
});

test('who keeps the own presence private is seen by nobody, and who is blocked does not see it', async () => {
  const there = await connect(bob, 1);
  const watcher = await connect(ada, 0);
  const looks = async (): Promise<number> => {
    watcher.say({ op: 'look', user_ids: [bob.userId, ada.userId] });
    const before = watcher.frames.length;
    const told = (): boolean =>
      watcher.frames
        .slice(before)
        .some((one) => one.op === 'presence' && one.people.some(({ user_id: id }) => id === ada.userId));
    await waitFor('the own presence', told);
    return watcher
      .all('presence')
      .flatMap(({ people }) => people)
      .filter(({ user_id: id }) => id === bob.userId).length;
  };
  assert.equal(await bob.outcome('PATCH', '/me', { presence_private: true }), '200');
  await database().replicated();
  assert.equal(await looks(), 0);
  assert.equal(await bob.outcome('PATCH', '/me', { presence_private: false }), '200');
  assert.equal(await bob.outcome('PUT', `/me/blocks/${ada.userId}`), '204');
  await database().replicated();
  assert.equal(await looks(), 0);
  assert.equal(await bob.outcome('DELETE', `/me/blocks/${ada.userId}`), '204');
  await database().replicated();
  await looks();
  await waitFor('the presence', () => stateOf(watcher, bob)?.state === 'online');
  await Promise.all([there, watcher].map(async (one) => one.close()));
});

test('a removed member is told nothing after the answer, at any worker', async () => {
  for (let round = 0; round < 10; round += 1) {
    const id = await insertConversation(database(), 'group', [
      [ada, 'owner'],
      [bob, 'member'],
    ]);
    const sockets = [await connect(bob, 0), await connect(bob, 1)];
    for (const socket of sockets) await socket.open(id);
    const before = sockets.map((socket) => socket.bodies(id).length);
    // Its feed may be late: what was committed before the answer must not be told after it.
    const sending = sendMessage(ada, id, 'before');
    const removal = await ada.outcome('DELETE', `/conversations/${id}/members/${bob.userId}`);
    const told = await Promise.all(
      sockets.map(async (socket) => {
        await socket.ask({ op: 'read', conversation_id: id, number: 0 });
        return socket.frames.length;
      }),
    );
    await sending.catch(() => undefined);
    await sendMessage(ada, id, 'after');
    await Promise.all(sockets.map(async (socket) => socket.ask({ op: 'read', conversation_id: id, number: 0 })));
    assert.equal(removal, '204');
    assert.deepEqual(
      sockets.map((socket, place) =>
        socket.frames.slice(told[place]).filter(({ op }) => op === 'changes' || op === 'head'),
      ),
      [[], []],
      `${before.length}`,
    );
    await Promise.all(sockets.map(async (socket) => socket.close()));
  }
});
