import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { raceBehind } from '../../test/held-lock.ts';

const database = useDatabase();
// Enough connections for separate writes at the same moment.
const app = useApp(database, { maxOpen: 20 });

let ada: Client;
let bob: Client;
let eve: Client;

const read = async (by: Client, path: string): Promise<Conversation> => (await by.call('GET', path)).json();
const nobody = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';

async function createGroup(by: Client, ...members: Client[]): Promise<string> {
  const body = { kind: 'group', title: 'Group', members: members.map(({ userId }) => userId) };
  return (await by.call('POST', '/conversations', body)).json<Conversation>().id;
}

test('people sign up', async () => {
  [ada, bob, eve] = [await signUp(app(), 'ada'), await signUp(app(), 'bob'), await signUp(app(), 'eve')];
});

test('two people have one direct conversation, whoever opens it, also at the same moment', async () => {
  const open = [
    async () => ada.call('PUT', `/conversations/direct/${bob.userId}`),
    async () => bob.call('PUT', `/conversations/direct/${ada.userId.toUpperCase()}`),
    async () => ada.call('PUT', `/conversations/direct/${bob.userId}`),
  ];
  const answers = await raceBehind(database(), 'lock table members in share mode', open);
  assert.deepEqual(answers.map(outcomeOf).toSorted(), ['200', '200', '201']);
  const ids = new Set(answers.map((answer) => answer.json<Conversation>().id));
  assert.equal(ids.size, 1);
  const { other, me, member_count: count, seq, title } = await read(bob, `/conversations/${[...ids].join('')}`);
  assert.deepEqual([other?.id, me.role, count, seq, title], [ada.userId, 'member', 2, 3, '']);
  assert.equal((await database().sql('select from conversations')).length, 1);
});

test('there is no direct conversation with oneself, with nobody, or with a disabled account', async () => {
  assert.equal(await ada.outcome('PUT', `/conversations/direct/${ada.userId}`), '400 invalid_request');
  assert.equal(await ada.outcome('PUT', `/conversations/direct/${nobody}`), '403 recipient_unavailable');
  await database().sql(`update accounts set disabled_at = now() where username = 'eve'`);
  assert.equal(await ada.outcome('PUT', `/conversations/direct/${eve.userId}`), '403 recipient_unavailable');
  await database().sql(`update accounts set disabled_at = null where username = 'eve'`);
  await ada.call('PUT', `/conversations/direct/${eve.userId}`);
  await database().sql(`update accounts set disabled_at = now() where username = 'eve'`);
  assert.equal(await ada.outcome('PUT', `/conversations/direct/${eve.userId}`), '200', 'the existing one is kept');
  await database().sql(`update accounts set disabled_at = null where username = 'eve'`);
});

test('a repeated creation returns the stored conversation, to its creator alone', async () => {
  const body = { id: '0199AAAA-0000-7000-8000-000000000001', kind: 'group', title: ' Engine ', members: [bob.userId] };
  const made = await ada.call('POST', '/conversations', body);
  const { id, title, about, member_count: count, seq, created_by: creator, me } = made.json<Conversation>();
  assert.equal(made.headers.location, `/api/v1/conversations/${body.id.toLowerCase()}`);
  assert.deepEqual([id, title, about, count, seq, creator], [body.id.toLowerCase(), 'Engine', '', 2, 3, ada.userId]);
  assert.deepEqual([me.role, me.unread, me.pinned, me.muted_until], ['owner', 0, false, null]);
  const again = await ada.call('POST', '/conversations', { ...body, title: 'Another title' });
  assert.equal(outcomeOf(again), '200');
  assert.deepEqual(again.json(), made.json());
  assert.equal(await bob.outcome('POST', '/conversations', body), '409 conversation_id_taken', 'a member');
  assert.equal(await eve.outcome('POST', '/conversations', { ...body, members: [] }), '409 conversation_id_taken');
});

test('of two creations with one id at the same moment, one creates', async () => {
  const body = { id: '0199aaaa-0000-7000-8000-000000000002', kind: 'channel', title: 'Twice' };
  const create = async () => ada.outcome('POST', '/conversations', body);
  const outcomes = await raceBehind(database(), 'lock table members in share mode', [create, create]);
  assert.deepEqual(outcomes.toSorted(), ['200', '201']);
});

test('a creation with somebody who cannot be added creates nothing, and names the place', async () => {
  const create = async (members: string[]) =>
    await ada.call('POST', '/conversations', { kind: 'group', title: 'Never', members });
  const unknown = await create([bob.userId, nobody]);
  assert.equal(outcomeOf(unknown), '403 recipient_unavailable');
  assert.deepEqual(unknown.json<{ errors: object[] }>().errors, [
    { in: 'body', field: 'members.1', message: 'cannot be added' },
  ]);
  await database().sql('insert into blocks values ($1, $2)', [eve.userId, ada.userId]);
  assert.equal(outcomeOf(await create([eve.userId])), '403 recipient_unavailable', 'the blocked cannot tell');
  await database().sql('delete from blocks');
  await database().sql('insert into blocks values ($1, $2)', [ada.userId, eve.userId]);
  assert.equal(outcomeOf(await create([eve.userId])), '403 recipient_blocked');
  await database().sql('delete from blocks');
  assert.deepEqual(await database().sql(`select from conversations where title = 'Never'`), []);
});

test('titles and descriptions are checked, and a group is never public', async () => {
  const outcome = async (fields: object) =>
    await ada.outcome('POST', '/conversations', { kind: 'group', title: 'T', ...fields });
  for (const fields of [
    { title: '' },
    { title: ' \u200B ' },
    { title: 'x'.repeat(101) },
    { title: 'two\nlines' },
    { title: 'x\u202Ey' },
    { title: 'x\u0000y' },
    { title: 'x\uD800y' },
    { about: 'x'.repeat(1_001) },
    { about: 'x\u0000y' },
    { about: 'x\uD800y' },
    { about: 'x\u202Ey' },
    { kind: 'direct' },
    { is_public: true },
    { id: 'x' },
    { members: ['x'] },
    { members: Array.from({ length: 1_000 }, () => bob.userId) },
    { owner: ada.userId },
  ])
    assert.equal(await outcome(fields), '400 invalid_request', JSON.stringify(fields).slice(0, 60));
  assert.equal(await outcome({ title: '𝔘'.repeat(100), about: ' first line\n\tsecond\r\n 👩‍👩‍👧' }), '201');
});

test('a change takes the next seq; the same values and refused ones take none', async () => {
  const path = `/conversations/${await createGroup(ada, bob)}`;
  const changed = (await ada.call('PATCH', path, { title: 'New', edit_window_seconds: 60 })).json<Conversation>();
  assert.deepEqual([changed.title, changed.edit_window_seconds, changed.seq], ['New', 60, 4]);
  assert.equal((await ada.call('PATCH', path, { title: 'New' })).json<Conversation>().seq, 4);
  const forEver = (await ada.call('PATCH', path, { edit_window_seconds: null })).json<Conversation>();
  assert.deepEqual([forEver.title, forEver.edit_window_seconds, forEver.seq], ['New', null, 5]);
  assert.equal(await bob.outcome('PATCH', path, { title: 'By a member' }), '403 not_permitted');
  assert.equal(await eve.outcome('PATCH', path, { title: 'By a stranger' }), '404 conversation_not_found');
  assert.equal(await ada.outcome('PATCH', path, { is_public: true }), '400 invalid_request');
  assert.equal(await ada.outcome('PATCH', path, {}), '400 invalid_request');
  const [row] = await database().sql<{ info_seq: string; seq: string }>(
    'select seq, info_seq from conversations where id = $1',
    [path.slice(-36)],
  );
  assert.deepEqual(row, { seq: '5', info_seq: '5' });
});

test('a deleted conversation is gone for all members at once, and leaves their lists', async () => {
  const id = await createGroup(ada, bob);
  const path = `/conversations/${id}`;
  assert.equal(await bob.outcome('DELETE', path), '403 not_permitted');
  assert.equal(await eve.outcome('DELETE', path), '404 conversation_not_found');
  assert.equal(await ada.outcome('DELETE', path), '204');
  await database().replicated();
  for (const by of [ada, bob]) {
    assert.equal(await by.outcome('GET', path), '404 conversation_not_found');
    assert.equal(await by.outcome('DELETE', path), '404 conversation_not_found');
    assert.equal(await by.outcome('PUT', `${path}/settings`, { pinned: true }), '404 conversation_not_found');
    const all = (await by.call('GET', '/conversations')).json<Conversation[]>();
    assert.ok(!all.some((one) => one.id === id));
  }
  const direct = (await ada.call('PUT', `/conversations/direct/${bob.userId}`)).json<Conversation>().id;
  assert.equal(await ada.outcome('DELETE', `/conversations/${direct}`), '403 not_permitted');
});

test('settings belong to one member, and absent fields stay', async () => {
  const path = `/conversations/${await createGroup(ada, bob)}`;
  const until = '2100-01-01T00:00:00Z';
  await ada.call('PUT', `${path}/settings`, { muted_until: until, pinned: true });
  const changed = (await ada.call('PUT', `${path}/settings`, { archived: true })).json<Conversation>();
  const { me } = changed;
  assert.deepEqual([me.muted_until, me.pinned, me.archived], ['2100-01-01T00:00:00.000000Z', true, true]);
  assert.equal(changed.seq, 3, 'no change of the conversation');
  const { me: ofBob } = await read(bob, path);
  assert.deepEqual([ofBob.muted_until, ofBob.pinned, ofBob.archived], [null, false, false]);
  const unmuted = (await ada.call('PUT', `${path}/settings`, { muted_until: null })).json<Conversation>();
  assert.deepEqual([unmuted.me.muted_until, unmuted.me.pinned], [null, true]);
  assert.equal(await eve.outcome('PUT', `${path}/settings`, { pinned: true }), '404 conversation_not_found');
  for (const wrong of ['2100-02-30T00:00:00Z', 'tomorrow', '2100-01-01', '0000-01-01T00:00:00Z', 4])
    assert.equal(await ada.outcome('PUT', `${path}/settings`, { muted_until: wrong }), '400 invalid_request');
});

test('a list without a session is refused, and a foreign cursor, too', async () => {
  assert.equal(outcomeOf(await app().http.inject('/api/v1/conversations')), '401 unauthenticated');
  for (const wrong of ['after=x', 'after=', 'limit=0', 'limit=1000', 'archived=1', 'offset=1'])
    assert.equal(await ada.outcome('GET', `/conversations?${wrong}`), '400 invalid_request', wrong);
});
