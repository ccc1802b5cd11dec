/**
 * A client that holds position `s` gets every later change (promise G3): what was held at `s` with the changes after `s` is the state now,
 * for every kind of change.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { Message } from '@messenger/protocol/messages';
import { array, assert as property, asyncProperty, constantFrom, nat, record } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { send as sendRequest, password, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { follow, load, nothing, type Followed } from '../../test/followed-conversation.ts';
import { waitFor } from '../../test/wait-for.ts';

const database = useDatabase();
const env = { DB_BATCHING: 'on', RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' };
const app = useApp(database, { env, maxOpen: 20 });

interface People {
  readonly owner: Client;
  readonly admin: Client;
  readonly member: Client;
  readonly other: Client;
}
let people: People;

/** A choice of an action: one of the first messages, and a text. */
interface Choice {
  readonly number: number;
  readonly text: string;
}

type Action = (where: string, choice: Choice) => Promise<unknown>;

const emoji = (text: string): string => encodeURIComponent(text.length % 2 === 0 ? '👍' : '❤️');

const send = async (by: Client, where: string, body: object): Promise<unknown> =>
  by.call('PUT', `${where}/messages/${randomUUID()}`, body);

/** Each kind of change, by the statement that makes it. What is refused, for example because a member has left, changes nothing. */
const changes: Readonly<Record<string, Action>> = {
  'messages.send': async (where, { text }) => send(people.member, where, { body: text }),
  'messages.send_full': async (where, { number, text }) => {
    await send(people.member, where, { body: `${text} @admin @all` });
    return send(people.admin, where, { body: text, thread_of: number, reply_to: number });
  },
  'messages.edit': async (where, { number, text }) =>
    Promise.all(
      [people.member, people.admin].map(async (by) =>
        by.call('PATCH', `${where}/messages/${number}`, { body: `edited ${text} @all` }),
      ),
    ),
  'messages.delete': async (where, { number }) => people.owner.call('DELETE', `${where}/messages/${number}`),
  'messages.react': async (where, { number, text }) =>
    Promise.all(
      [people.owner, people.admin, people.member, people.other].map(async (by) =>
        by.call('PUT', `${where}/messages/${number}/reactions/${emoji(text)}`),
      ),
    ),
  'messages.unreact': async (where, { number, text }) =>
    people.admin.call('DELETE', `${where}/messages/${number}/reactions/${emoji(text)}`),
  'messages.pin': async (where, { number, text }) =>
    people.admin.call(text.length % 3 === 0 ? 'DELETE' : 'PUT', `${where}/messages/${number}/pin`),
  'conversations.update': async (where, { text }) =>
    people.owner.call('PATCH', where, { title: `T${text}`, about: text, edit_window_seconds: 1_000 + text.length }),
  'members.add': async (where) =>
    people.owner.call('POST', `${where}/members`, { user_ids: [people.member.userId, people.other.userId] }),
  'members.change_role': async (where, { text }) =>
    people.owner.call('PATCH', `${where}/members/${people.member.userId}`, {
      role: text.length % 2 === 0 ? 'admin' : 'member',
    }),
  'members.remove': async (where) => people.owner.call('DELETE', `${where}/members/${people.member.userId}`),
  'members.leave': async (where) => people.other.call('DELETE', `${where}/members/me`),
  'members.join': async (where) => people.other.call('PUT', `${where}/members/me`),
  'invites.accept': async (where) => {
    const { code } = (await people.owner.call('POST', `${where}/invites`, {})).json<{ code: string }>();
    return people.other.call('POST', `/invites/${code}/accept`);
  },
  'members.ban': async (where) => people.owner.call('PUT', `${where}/bans/${people.other.userId}`),
  'members.unban': async (where) => people.owner.call('DELETE', `${where}/bans/${people.other.userId}`),
  'erasures.end_membership': async (where) => erase(where, 'keep'),
  'erasures.erase_range': async (where) => erase(where, 'erase'),
};

let guests = 0;

/** Somebody joins, sends, reacts and is mentioned, and then deletes the account. */
async function erase(where: string, messages: 'keep' | 'erase'): Promise<void> {
  const name = `guest${(guests += 1)}`;
  const guest = await signUp(app(), name);
  await guest.call('PUT', `${where}/members/me`);
  await people.owner.call('PATCH', `${where}/members/${guest.userId}`, { role: 'member' });
  await guest.call('POST', `${where}/messages`, { body: 'x' });
  await people.owner.call('POST', `${where}/messages`, { body: `@${name}` });
  await guest.call('PUT', `${where}/messages/2/reactions/${emoji('x')}`);
  await guest.call('DELETE', '/me', { password, messages });
  await waitFor('the erasure', async () => (await database().sql('select from erasures')).length === 0);
}

/** Statements that write nothing that other members see, begin or end a conversation, lock, or read what was written. */
const others = `conversations.insert conversations.insert_direct conversations.delete conversations.update_settings
  conversations.lock conversations.lock_free conversations.lock_one conversations.view conversations.view_direct members.view
  conversations.sweep invites.create invites.lock_conversation invites.revoke invites.view_conversation
  blocks.delete blocks.insert messages.mark_read messages.mark_read_free
  erasures.next erasures.lock_conversation erasures.texts erasures.finish_conversation erasures.finish`.split(/\s+/u);

/** An order in which each of them changes something. */
const tour: readonly (readonly [kind: string, choice: Choice])[] = [
  ['messages.send', { number: 1, text: 'x' }],
  ['messages.send_full', { number: 1, text: 'xy' }],
  ['messages.edit', { number: 1, text: 'x' }],
  ['messages.react', { number: 2, text: 'x' }],
  ['messages.unreact', { number: 2, text: 'x' }],
  ['messages.pin', { number: 2, text: 'x' }],
  ['messages.pin', { number: 2, text: 'xyz' }],
  ['messages.delete', { number: 1, text: 'x' }],
  ['conversations.update', { number: 1, text: 'x' }],
  ['members.change_role', { number: 1, text: 'xy' }],
  ['members.remove', { number: 1, text: 'x' }],
  ['members.add', { number: 1, text: 'x' }],
  ['members.leave', { number: 1, text: 'x' }],
  ['members.join', { number: 1, text: 'x' }],
  ['members.leave', { number: 1, text: 'x' }],
  ['invites.accept', { number: 1, text: 'x' }],
  ['members.ban', { number: 1, text: 'x' }],
  ['members.unban', { number: 1, text: 'x' }],
  ['erasures.end_membership', { number: 1, text: 'x' }],
  ['erasures.erase_range', { number: 1, text: 'x' }],
];

/** The statements of a domain outside of its readers, by their names. */
function statementsOf(domain: string): string[] {
  const folder = join(import.meta.dirname, '..', domain);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !/-reader\.ts$|\.test\.ts$/u.test(file))
    .flatMap((file) => [
      ...readFileSync(join(folder, file), 'utf8').matchAll(/\bstatement(?:<[^]*?>)?\(\s*'(?<name>[^']+)'/gu),
    ])
    .map(({ groups }) => groups?.['name'] ?? assert.fail());
}

/** A channel that everybody may join, with the owner, an administrator and a member. */
async function create(): Promise<string> {
  const members = [people.admin.userId, people.member.userId];
  const body = { kind: 'channel', title: 'Channel', is_public: true, members };
  const { id } = (await people.owner.call('POST', '/conversations', body)).json<Conversation>();
  await people.owner.call('PATCH', `/conversations/${id}/members/${people.admin.userId}`, { role: 'admin' });
  await people.owner.call('PATCH', `/conversations/${id}/members/${people.member.userId}`, { role: 'member' });
  return id;
}

async function seqOf(id: string): Promise<number> {
  const [row] = await database().sql<{ seq: number }>('select seq::int from conversations where id = $1', [id]);
  return row?.seq ?? assert.fail();
}

/** What was held before is followed to the present, in pages of each size. Resolves with the state now. */
async function assertFollowed(id: string, held: readonly Followed[], limits: readonly number[]): Promise<Followed> {
  const now = await load(people.owner, id, database());
  for (const limit of limits)
    for (const one of held) assert.deepEqual(await follow(people.owner, id, one, limit), now, `from ${one.position}`);
  return now;
}

describe('what a client holds, with the changes after it, is the state now', () => {
  before(async () => {
    const [owner, admin] = [await signUp(app(), 'owner'), await signUp(app(), 'admin')];
    people = { owner, admin, member: await signUp(app(), 'member'), other: await signUp(app(), 'other') };
  });

  test('this test knows every statement that may make a change', () => {
    const known = [...Object.keys(changes), ...others].toSorted();
    assert.deepEqual([...statementsOf('conversations'), ...statementsOf('messages')].toSorted(), known);
  });

  test('for every kind of change', async () => {
    const id = await create();
    const held = [nothing, await load(people.owner, id, database())];
    const made = new Set<string>();
    for (const [kind, choice] of tour) {
      await changes[kind]?.(`/conversations/${id}`, choice);
      const now = await assertFollowed(id, held.slice(-1), [1]);
      if (now.position > (held.at(-1)?.position ?? 0)) made.add(kind);
      held.push(now);
    }
    assert.deepEqual([...made].toSorted(), Object.keys(changes).toSorted());
    const executed = app().measure().metrics.messenger_db_statement_duration_seconds ?? [];
    const names = new Set(executed.map(({ labels }) => labels.at(-1)));
    for (const kind of Object.keys(changes)) assert.ok(names.has(kind), `${kind} was not executed`);
    await assertFollowed(id, held, [1, 3, 200]);
  });

  // Without accounts that come and go: the hashes of their passwords take long.
  const kinds = Object.keys(changes).filter((kind) => !kind.startsWith('erasures.'));
  const step = record({
    kind: constantFrom(...kinds, 'messages.send', 'messages.send', 'messages.edit', 'messages.react'),
    number: nat(6).map((n) => n + 1),
    text: constantFrom('x', 'xy', 'xyz', 'long '.repeat(50)),
  });
  const rounds = array(array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8, size: 'max' });

  test('for random histories of concurrent changes', async () => {
    await property(
      asyncProperty(rounds, async (history) => {
        const id = await create();
        const held = [nothing, await load(people.owner, id, database())];
        let live = nothing;
        for (const round of history) {
          const changing = round.map(async ({ kind, ...choice }) => changes[kind]?.(`/conversations/${id}`, choice));
          live = await follow(people.owner, id, live, 2);
          await Promise.all(changing);
          held.push(await assertFollowed(id, held.slice(-1), [3]));
        }
        await assertFollowed(id, [...held, live], [2, 200]);
      }),
      { numRuns: 6 },
    );
  });
});

test('a position that the conversation has not reached is refused, and so are others than members', async () => {
  const id = await create();
  const path = `/conversations/${id}/changes`;
  const seq = await seqOf(id);
  assert.equal(await people.owner.outcome('GET', `${path}?after=${seq}`), '200');
  assert.equal(await people.owner.outcome('GET', `${path}?after=${seq + 1}`), '409 unknown_position');
  assert.equal(await people.owner.outcome('GET', `${path}?after=900000000000000`), '409 unknown_position');
  for (const query of ['', '?after=-1', '?after=x', '?after=0&limit=0', '?after=0&limit=201', '?after=1e3'])
    assert.equal(await people.owner.outcome('GET', path + query), '400 invalid_request', query);
  assert.equal(await people.other.outcome('GET', `${path}?after=0`), '404 conversation_not_found');
  await people.member.call('DELETE', `/conversations/${id}/members/me`);
  await database().replicated();
  assert.equal(await people.member.outcome('GET', `${path}?after=0`), '404 conversation_not_found');
  await people.owner.call('DELETE', `/conversations/${id}`);
  await database().replicated();
  assert.equal(await people.owner.outcome('GET', `${path}?after=0`), '404 conversation_not_found');
});

test('with the token of a change, the change is in the answer, which comes from the standby', async () => {
  const id = await create();
  const authorization = `Bearer ${people.owner.token}`;
  const { standby, waited } = app().databases.reads.outcomes;
  for (let n = 1; n <= 20; n += 1) {
    const sent = await people.owner.call('POST', `/conversations/${id}/messages`, { body: `${n}` });
    const token = String(sent.headers['consistency-token']);
    const headers = { authorization, 'consistency-token': token };
    const path = `/conversations/${id}/changes?after=${sent.json<Message>().seq - 1}`;
    const page = (await sendRequest(app(), 'GET', path, { headers })).json<Changes>();
    assert.deepEqual(
      page.messages.map(({ body }) => body),
      [`${n}`],
    );
  }
  const after = app().databases.reads.outcomes;
  assert.ok(after.standby + after.waited > standby + waited);
});
