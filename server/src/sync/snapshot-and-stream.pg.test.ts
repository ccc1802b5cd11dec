/** `welcome` at any moment plus what follows equals a fresh `welcome`, for every kind of change, with gaps of the feed and lost connections. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';
import { array, assert as property, asyncProperty, constantFrom, nat, record } from 'fast-check';

import { signUp, type Client } from '../../test/clients.ts';
import { sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';
import { load } from '../../test/followed-conversation.ts';
import { useRealtime } from '../../test/realtime.ts';
import { SocketClient } from '../../test/socket-client.ts';
import { waitFor } from '../../test/wait-for.ts';

const database = useDatabase();
const realtime = useRealtime(database, { env: { RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' }, maxOpen: 8 });

let ada: Client;
let bob: Client;
let eve: Client;

/** Two sockets of Bob, of which one has the group open. */
interface Watched {
  readonly group: string;
  open: SocketClient;
  idle: SocketClient;
}

type Action = (watched: Watched, number: number) => Promise<unknown>;

const connect = async (worker: number, since?: string): Promise<SocketClient> =>
  SocketClient.hello(realtime().workers[worker]?.port ?? assert.fail(), bob.token, since);

/** Nothing of it is compressed. */
const largeBody = (): string => randomBytes(5_900).toString('base64').slice(0, 7_800);

const put = async (by: Client, group: string, body: object): Promise<unknown> =>
  by.call('PUT', `/conversations/${group}/messages/${randomUUID()}`, body);

const actions: Readonly<Record<string, Action>> = {
  send: async ({ group }, number) => put(ada, group, { body: `message ${number}` }),
  sendOwn: async ({ group }) => put(bob, group, { body: 'own' }),
  sendLarge: async ({ group }) => put(ada, group, { body: largeBody() }),
  mention: async ({ group }) => put(ada, group, { body: '@bob and @all' }),
  reply: async ({ group }, number) => put(eve, group, { body: 'reply', thread_of: number }),
  edit: async ({ group }, number) =>
    ada.call('PATCH', `/conversations/${group}/messages/${number}`, { body: 'edited' }),
  delete: async ({ group }, number) => ada.call('DELETE', `/conversations/${group}/messages/${number}`),
  react: async ({ group }, number) =>
    ada.call('PUT', `/conversations/${group}/messages/${number}/reactions/${encodeURIComponent('👍')}`),
  unreact: async ({ group }, number) =>
    ada.call('DELETE', `/conversations/${group}/messages/${number}/reactions/${encodeURIComponent('👍')}`),
  pin: async ({ group }, number) => ada.call('PUT', `/conversations/${group}/messages/${number}/pin`),
  unpin: async ({ group }, number) => ada.call('DELETE', `/conversations/${group}/messages/${number}/pin`),
  rename: async ({ group }, number) => ada.call('PATCH', `/conversations/${group}`, { title: `title ${number}` }),
  describe: async ({ group }) => ada.call('PATCH', `/conversations/${group}`, { about: largeBody().slice(0, 1_000) }),
  read: async ({ group }, number) => bob.call('PUT', `/conversations/${group}/read`, { number }),
  unread: async ({ group }, number) => bob.call('PUT', `/conversations/${group}/unread`, { number: number + 1 }),
  settings: async ({ group }, number) =>
    bob.call('PUT', `/conversations/${group}/settings`, { pinned: number % 2 === 0 }),
  role: async ({ group }, number) =>
    ada.call('PATCH', `/conversations/${group}/members/${bob.userId}`, { role: number % 2 === 0 ? 'admin' : 'member' }),
  add: async ({ group }) => ada.call('POST', `/conversations/${group}/members`, { user_ids: [eve.userId] }),
  remove: async ({ group }) => ada.call('DELETE', `/conversations/${group}/members/${eve.userId}`),
  create: async () => ada.call('POST', '/conversations', { kind: 'group', title: 'New', members: [bob.userId] }),
  direct: async () => ada.call('PUT', `/conversations/direct/${bob.userId}`),
  burst: async ({ group }) => Promise.all([1, 2, 3, 4, 5].map(async () => put(ada, group, { body: 'burst' }))),
  gap: async () =>
    database().sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and backend_type = 'walsender' and application_name = 'messenger feed'`,
    ),
  comeBack: async (watched, number) => {
    watched.idle.kill();
    watched.idle = await connect(number % 2, watched.idle.position);
  },
};

/** A killed client keeps what it holds. */
function resume(old: SocketClient, fresh: SocketClient): void {
  const [welcome] = fresh.all('welcome');
  if (welcome?.whole === true) return;
  for (const [id, head] of old.heads) if (!fresh.heads.has(id)) fresh.heads.set(id, head);
  for (const id of fresh.all('welcome', 'heads').flatMap(({ left }) => left)) fresh.heads.delete(id);
}

const sorted = (heads: Iterable<Conversation>): Conversation[] =>
  [...heads].toSorted((one, other) => (one.id < other.id ? -1 : 1));

async function begin(): Promise<Watched> {
  const wanted = { kind: 'group', title: 'Engine', members: [bob.userId, eve.userId] };
  const { id: group } = (await ada.call('POST', '/conversations', wanted)).json<Conversation>();
  await sendMessage(ada, group, 'first');
  const [open, idle] = [await connect(0), await connect(1)];
  assert.equal(await open.open(group), 'done');
  return { group, open, idle };
}

async function finish({ group, open, idle }: Watched): Promise<void> {
  const expected = await load(bob, group, database());
  await waitFor('the open conversation', () => open.held.get(group)?.position === expected.position);
  const { position, messages, members, last_number, member_count } = open.held.get(group) ?? assert.fail();
  assert.deepEqual(
    { position, messages: sortedMap(messages), members: sortedMap(members), last_number, member_count },
    {
      position: expected.position,
      messages: sortedMap(expected.messages),
      members: sortedMap(expected.members),
      last_number: expected.last_number,
      member_count: expected.member_count,
    },
  );
  const fresh = await connect(0);
  const wanted = JSON.stringify(sorted(fresh.heads.values()));
  for (const socket of [open, idle])
    await waitFor('the heads', () => JSON.stringify(sorted(socket.heads.values())) === wanted, 5_000).catch(() =>
      assert.deepEqual(sorted(socket.heads.values()), sorted(fresh.heads.values())),
    );
  assert.deepEqual([...open.faults, ...idle.faults], []);
  await Promise.all([fresh, open, idle].map(async (socket) => socket.close()));
}

function sortedMap<Key extends string | number, Value>(map: ReadonlyMap<Key, Value>): [Key, Value][] {
  return [...map].toSorted(([one], [other]) => (one < other ? -1 : 1));
}

async function act(watched: Watched, name: string, number: number): Promise<void> {
  const before = watched.idle;
  await actions[name]?.(watched, number);
  if (watched.idle !== before) resume(before, watched.idle);
}

test('three people have accounts', async () => {
  const [app = assert.fail()] = realtime().workers;
  ada = await signUp(app, 'ada');
  bob = await signUp(app, 'bob');
  eve = await signUp(app, 'eve');
});

for (const name of Object.keys(actions))
  test(`what follows \`welcome\` has the change \`${name}\``, async () => {
    const watched = await begin();
    await act(watched, name, 1);
    await finish(watched);
  });

test('a reaction to a large message arrives with the whole message', async () => {
  const watched = await begin();
  await act(watched, 'sendLarge', 0);
  await waitFor('the message', () => watched.open.bodies(watched.group).length === 2);
  await act(watched, 'react', 2);
  await waitFor('the reaction', () => watched.open.held.get(watched.group)?.messages.get(2)?.reactions?.length === 1);
  await finish(watched);
});

test('in any order, with gaps and lost connections', async () => {
  const one = record({
    name: constantFrom(...Object.keys(actions)),
    number: nat(8),
    isAwaited: constantFrom(true, false, false),
  });
  await property(
    asyncProperty(array(one, { minLength: 5, maxLength: 40 }), async (steps) => {
      const watched = await begin();
      const pending: Promise<void>[] = [];
      for (const { name, number, isAwaited } of steps) {
        const step = act(watched, name, number);
        if (isAwaited || name === 'comeBack') await step;
        else pending.push(step);
      }
      await Promise.all(pending);
      await finish(watched);
    }),
    { numRuns: 12, endOnFailure: true },
  );
});
