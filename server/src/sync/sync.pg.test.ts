import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import type { Problem } from '@messenger/protocol/problem';

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

const portOf = (worker: number): number => realtime().workers[worker]?.port ?? assert.fail();
const connect = async ({ token }: Client, worker = 0, since?: string): Promise<SocketClient> =>
  SocketClient.hello(portOf(worker), token, since);

test('three people have accounts', async () => {
  const [app = assert.fail()] = realtime().workers;
  ada = await signUp(app, 'ada');
  bob = await signUp(app, 'bob');
  eve = await signUp(app, 'eve');
});

const makeGroup = async (...people: readonly Client[]): Promise<string> =>
  insertConversation(
    database(),
    'group',
    people.map((one, place) => [one, place === 0 ? 'owner' : 'member'] as const),
  );

const send = (id: string, body: string) => ({ op: 'send', conversation_id: id, id: randomUUID(), body });

test('a message sent at one worker arrives at an open conversation of another worker', async () => {
  const group = await makeGroup(ada, bob);
  const [from, to] = [await connect(ada, 0), await connect(bob, 1)];
  assert.equal(await to.open(group), 'done');
  const answer = await from.ask(send(group, 'Hello'));
  assert.ok(answer.op === 'done' && answer.number === 1 && answer.seq === 1, JSON.stringify(answer));
  await waitFor('the message', () => to.bodies(group).length === 1);
  assert.deepEqual(to.bodies(group), ['Hello']);
  assert.deepEqual([...from.faults, ...to.faults], []);
  await Promise.all([from.close(), to.close()]);
});

test('sends of one socket are numbered in the order in which they were sent', async () => {
  const group = await makeGroup(ada, bob);
  const socket = await connect(ada);
  const texts = Array.from({ length: 60 }, (_, place) => (place % 7 === 3 ? `${place} @bob` : String(place)));
  const answers = await Promise.all(texts.map(async (text) => socket.ask(send(group, text))));
  assert.deepEqual(
    answers.map((answer) => (answer.op === 'done' ? answer.number : answer.problem.code)),
    texts.map((_, place) => place + 1),
  );
  await socket.close();
});

test('a conversation that is not open sends its newest head alone', async () => {
  const group = await makeGroup(ada, bob);
  const socket = await connect(bob, 1);
  await Promise.all(Array.from({ length: 30 }, async (_, place) => sendMessage(ada, group, `${place}`)));
  await waitFor('the head', () => socket.heads.get(group)?.last_number === 30);
  assert.ok(socket.all('head').length < 20, `${socket.all('head').length} heads`);
  assert.equal(socket.heads.get(group)?.me.unread, 30);
  assert.deepEqual(socket.faults, []);
  await socket.close();
});

test('who is mentioned learns of it', async () => {
  const group = await makeGroup(ada, bob);
  const socket = await connect(bob, 1);
  await sendMessage(ada, group, 'Hello @bob');
  await waitFor('the mention', () => socket.heads.get(group)?.me.unread_mentions === 1);
  await socket.ask({ op: 'read', conversation_id: group, number: 1 });
  await waitFor('the end of it', () => socket.heads.get(group)?.me.unread_mentions === 0);
  await socket.close();
});

test('people are told that they were added and removed', async () => {
  const group = await makeGroup(ada);
  const socket = await connect(bob, 1);
  assert.ok(!socket.heads.has(group));
  await ada.call('POST', `/conversations/${group}/members`, { user_ids: [bob.userId] });
  await waitFor('the conversation', () => socket.heads.has(group));
  assert.equal(await socket.open(group), 'done');
  await ada.call('DELETE', `/conversations/${group}/members/${bob.userId}`);
  await waitFor('its end', () => !socket.heads.has(group));
  const told = socket.frames.length;
  await sendMessage(ada, group, 'secret');
  const answer = await socket.ask({ op: 'open', conversation_id: group, after: 0 });
  assert.equal(answer.op === 'refused' && answer.problem.code, 'conversation_not_found');
  assert.equal(socket.frames.length, told + 1);
  await socket.close();
});

test('a frame is refused with the problem that the request would get', async () => {
  const group = await makeGroup(ada);
  const socket = await connect(eve);
  const answer = await socket.ask(send(group, 'Hello'));
  const response = await eve.call('PUT', `/conversations/${group}/messages/${randomUUID()}`, { body: 'Hello' });
  const { request_id: _, ...problem } = answer.op === 'refused' ? answer.problem : assert.fail();
  const { request_id: __, ...expected } = response.json<Problem>();
  assert.deepEqual(problem, expected);
  const invalid = await socket.ask({ ...send(group, 'Hello'), unknown: 1 });
  assert.equal(invalid.op === 'refused' && invalid.problem.code, 'invalid_request');
  await socket.close();
});

test('the first frame is `hello`, with a valid session', async () => {
  const [wrong, early, twice, unknown] = await Promise.all(
    [1, 2, 3, 4].map(async () => SocketClient.connect(portOf(0))),
  );
  wrong?.say({ op: 'hello', token: 'x' });
  early?.say({ op: 'ping' });
  twice?.say({ op: 'hello', token: ada.token });
  twice?.say({ op: 'hello', token: ada.token });
  unknown?.sayRaw('{"op":"nothing"}');
  await waitFor('the ends', () => [wrong, early, twice, unknown].every((one) => one?.closeCode !== undefined));
  assert.deepEqual(
    [wrong, early, twice, unknown].map((one) => one?.closeCode),
    [4505, 4504, 4504, 4503],
  );
});

test('a client that comes back with its position gets what has changed since', async () => {
  const groups = await Promise.all([1, 2, 3].map(async () => makeGroup(ada, bob)));
  await database().sql(`update conversations set changed_at = now() - interval '1 hour'`);
  await database().sql(`update members set own_changed_at = now() - interval '1 hour'`);
  const first = await connect(bob);
  const { position } = first;
  await first.close();
  const [changed = '', read = '', left = ''] = groups;
  await sendMessage(ada, changed, 'new');
  assert.equal(await bob.outcome('PUT', `/conversations/${read}/settings`, { pinned: true }), '200');
  assert.equal(await ada.outcome('DELETE', `/conversations/${left}/members/${bob.userId}`), '204');
  const again = await connect(bob, 1, position);
  const [welcome] = again.all('welcome');
  assert.deepEqual(
    [welcome?.whole, welcome?.heads.map(({ id }) => id).toSorted(), welcome?.left.includes(left)],
    [false, [changed, read].toSorted(), true],
  );
  await again.close();
});

test('a transaction that commits late is not missed by a client that comes back', async () => {
  const group = await makeGroup(ada, bob);
  await database().sql(`update conversations set changed_at = now() - interval '1 hour'`);
  const late = database().sql(
    `with slow as materialized (select pg_sleep(1.5)), changed as (
       update conversations set title = 'late', changed_at = now(), seq = seq + 1, info_seq = seq + 1
         from slow where id = $1 returning 1)
     select count(*) from changed`,
    [group],
  );
  await waitFor('its start', async () => {
    const rows = await database().sql(`select 1 from pg_stat_activity where wait_event = 'PgSleep'`);
    return rows.length > 0;
  });
  await sendMessage(ada, await makeGroup(ada, bob), 'the clock of the primary');
  const first = await connect(bob);
  const { position } = first;
  await first.close();
  await late;
  const again = await connect(bob, 0, position);
  assert.equal(again.all('welcome')[0]?.heads.find(({ id }) => id === group)?.title, 'late');
  await again.close();
});
