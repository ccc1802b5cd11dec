import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';
import type { Channel, MemberWithUser } from '@messenger/protocol/members';

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
let kim: Client;

test('people sign up', async () => {
  [ada, bob] = [await signUp(app(), 'ada'), await signUp(app(), 'bob')];
  [eve, kim] = [await signUp(app(), 'eve'), await signUp(app(), 'kim')];
});

const nobody = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';

/** The path of a new conversation of Ada's. */
async function create(body: object, ...members: Client[]): Promise<string> {
  const wanted = { title: 'Title', members: members.map(({ userId }) => userId), ...body };
  return `/conversations/${(await ada.call('POST', '/conversations', wanted)).json<Conversation>().id}`;
}
const group = async (...members: Client[]) => create({ kind: 'group' }, ...members);
const channel = async (...members: Client[]) => create({ kind: 'channel', is_public: true }, ...members);

/** On the primary: what a list of the standby may lack for a moment. */
async function rowsOf(path: string) {
  const rows = await database().sql<{ username: string; role: string; left: boolean; banned: boolean; seq: number }>(
    `select username, m.role, left_at is not null as left, banned_at is not null as banned, changed_seq::int as seq
       from members as m join accounts using (user_id) where conversation_id = $1 order by username`,
    [path.slice(-36)],
  );
  return rows.map(({ username, role, left, banned, seq }) =>
    [username, role, ...(left ? ['left'] : []), ...(banned ? ['banned'] : []), seq].join(' '),
  );
}

/** `member_count seq` of the conversation, and whether it is deleted. */
async function headOf(path: string): Promise<string> {
  const [row] = await database().sql<{ count: number; seq: string; deleted: boolean }>(
    'select member_count as count, seq, deleted_at is not null as deleted from conversations where id = $1',
    [path.slice(-36)],
  );
  return `${row?.count} ${row?.seq}${row?.deleted === true ? ' deleted' : ''}`;
}

test('people are added with an outcome for each, and each addition takes one seq', async () => {
  const path = await group(bob);
  await database().sql('insert into blocks values ($1, $2), ($3, $1)', [ada.userId, kim.userId, eve.userId]);
  const add = async (by: Client, ...ids: string[]) =>
    (await by.call('POST', `${path}/members`, { user_ids: ids })).json<{ user_id: string; outcome: string }[]>();
  const outcomes = await add(ada, bob.userId, eve.userId, kim.userId, nobody, ada.userId.toUpperCase());
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['already_member', 'recipient_unavailable', 'recipient_blocked', 'recipient_unavailable', 'already_member'],
  );
  assert.equal(await headOf(path), '2 3', 'no seq');
  assert.deepEqual(
    (await add(bob, kim.userId, eve.userId, kim.userId)).map(({ outcome }) => outcome),
    ['added', 'added'],
  );
  assert.deepEqual(await rowsOf(path), ['ada owner 2', 'bob member 3', 'eve member 5', 'kim member 4']);
  assert.equal(await headOf(path), '4 5');
  await database().sql('delete from blocks');
});

test('a conversation has no more members than its kind allows', async () => {
  const path = await group();
  await database().sql('update conversations set member_count = 999 where id = $1', [path.slice(-36)]);
  const added = await ada.call('POST', `${path}/members`, { user_ids: [bob.userId, eve.userId] });
  assert.deepEqual(added.json(), [
    { user_id: bob.userId, outcome: 'added' },
    { user_id: eve.userId, outcome: 'conversation_full' },
  ]);
  const open = await channel();
  await database().sql('update conversations set member_count = 99999 where id = $1', [open.slice(-36)]);
  const joins = [bob, eve].map((by) => async () => by.outcome('PUT', `${open}/members/me`));
  const held = `select from conversations where id = '${open.slice(-36)}' for update`;
  assert.deepEqual((await raceBehind(database(), held, joins)).toSorted(), ['201', '409 conversation_full']);
});

test('a public channel is joined by everybody, others by nobody', async () => {
  const path = await channel();
  const joined = await bob.call('PUT', `${path}/members/me`);
  const { me, member_count: count, seq } = joined.json<Conversation>();
  assert.deepEqual([outcomeOf(joined), me.role, count, seq], ['201', 'reader', 2, 3]);
  assert.equal(await bob.outcome('PUT', `${path}/members/me`), '200');
  assert.equal(await headOf(path), '2 3');
  for (const closed of [await group(), await create({ kind: 'channel' })]) {
    assert.equal(await bob.outcome('PUT', `${closed}/members/me`), '404 conversation_not_found');
    assert.equal(await ada.outcome('PUT', `${closed}/members/me`), '200', 'a member stays one');
  }
  assert.equal(await bob.outcome('PUT', `/conversations/${nobody}/members/me`), '404 conversation_not_found');
});

test('who comes back starts anew: nothing is unread or archived', async () => {
  const path = await channel();
  await bob.call('PUT', `${path}/members/me`);
  await bob.call('PUT', `${path}/settings`, { archived: true, pinned: true, muted_until: '2100-01-01T00:00:00Z' });
  await bob.call('DELETE', `${path}/members/me`);
  for (let times = 0; times < 3; times += 1) await ada.call('POST', `${path}/messages`, { body: 'Hello' });
  const { me } = (await bob.call('PUT', `${path}/members/me`)).json<Conversation>();
  const { unread, read_number: number, archived, pinned, muted_until: until } = me;
  assert.deepEqual([unread, number, archived, pinned, until], [0, 3, false, false, null]);
});

test('roles are given up to the own one, to people below it', async () => {
  const path = await channel(bob, eve, kim);
  const give = async (by: Client, to: Client, role: string) =>
    await by.outcome('PATCH', `${path}/members/${to.userId}`, { role });
  assert.equal(await give(ada, bob, 'admin'), '200');
  assert.equal(await give(bob, eve, 'owner'), '403 not_permitted', 'above the own role');
  assert.equal(await give(bob, eve, 'admin'), '200');
  assert.equal(await give(bob, eve, 'member'), '403 not_permitted', 'of the own role');
  assert.equal(await give(bob, bob, 'member'), '403 not_permitted');
  assert.equal(await give(bob, ada, 'member'), '403 not_permitted');
  assert.equal(await give(kim, kim, 'member'), '403 not_permitted');
  assert.equal(await give(bob, kim, 'member'), '200');
  const before = await headOf(path);
  assert.equal(await give(bob, kim, 'member'), '200');
  assert.equal(await headOf(path), before, 'the same role takes no seq');
  const { role, seq, user } = (
    await ada.call('PATCH', `${path}/members/${kim.userId}`, { role: 'reader' })
  ).json<MemberWithUser>();
  assert.deepEqual([role, `4 ${seq}`, user?.id], ['reader', await headOf(path), kim.userId]);
  assert.equal(await ada.outcome('PATCH', `${path}/members/${nobody}`, { role: 'admin' }), '404 member_not_found');
  const ofGroup = await group(bob);
  assert.equal(
    await ada.outcome('PATCH', `${ofGroup}/members/${bob.userId}`, { role: 'reader' }),
    '400 invalid_request',
  );
});

test('ownership is handed over; the last owner stays', async () => {
  const path = await group(bob, eve);
  const self = `${path}/members/${ada.userId}`;
  assert.equal(await ada.outcome('PATCH', self, { role: 'admin' }), '409 last_owner');
  assert.equal(await ada.outcome('DELETE', `${path}/members/me`), '409 last_owner');
  assert.equal(await ada.outcome('DELETE', self), '409 last_owner');
  await ada.call('PATCH', `${path}/members/${bob.userId}`, { role: 'owner' });
  const held = `select from conversations where id = '${path.slice(-36)}' for update`;
  const stepDown = [ada, bob].map(
    (by) => async () => by.outcome('PATCH', `${path}/members/${by.userId}`, { role: 'member' }),
  );
  assert.deepEqual((await raceBehind(database(), held, stepDown)).toSorted(), ['200', '409 last_owner']);
});

test('removed people are gone at once, and their rows remain as former members', async () => {
  const path = await group(bob, eve);
  assert.equal(await bob.outcome('DELETE', `${path}/members/${eve.userId}`), '403 not_permitted');
  assert.equal(await ada.outcome('DELETE', `${path}/members/${bob.userId}`), '204');
  assert.equal(await ada.outcome('DELETE', `${path}/members/${bob.userId}`), '404 member_not_found');
  assert.equal(await bob.outcome('PATCH', path, { title: 'x' }), '404 conversation_not_found');
  assert.equal(await eve.outcome('DELETE', `${path}/members/${eve.userId}`), '204', 'with the own id: leave');
  assert.deepEqual(await rowsOf(path), ['ada owner 2', 'bob member left 5', 'eve member left 6']);
  assert.equal(await headOf(path), '1 6');
  assert.equal(await ada.outcome('DELETE', `${path}/members/me`), '204');
  assert.equal(await headOf(path), '0 7 deleted', 'the last member ends it');
});

test('nobody leaves a direct conversation, adds or bans somebody there', async () => {
  const { id } = (await ada.call('PUT', `/conversations/direct/${bob.userId}`)).json<Conversation>();
  const path = `/conversations/${id}`;
  assert.equal(await ada.outcome('DELETE', `${path}/members/me`), '403 not_permitted');
  assert.equal(await ada.outcome('DELETE', `${path}/members/${bob.userId}`), '403 not_permitted');
  assert.equal(await ada.outcome('POST', `${path}/members`, { user_ids: [eve.userId] }), '403 not_permitted');
  assert.equal(await ada.outcome('PUT', `${path}/bans/${bob.userId}`), '403 not_permitted');
  assert.equal(await headOf(path), '2 3');
});

test('a banned person cannot join, be added, or find the channel', async () => {
  const path = await channel(bob);
  await ada.call('PATCH', path, { title: 'Of the banned' });
  assert.equal(await ada.outcome('PUT', `${path}/bans/${bob.userId}`), '204');
  assert.equal(await ada.outcome('PUT', `${path}/bans/${eve.userId}`), '204', 'who never was a member');
  assert.equal(await ada.outcome('PUT', `${path}/bans/${eve.userId}`), '204');
  assert.deepEqual(await rowsOf(path), ['ada owner 2', 'bob reader left banned 5', 'eve reader left banned 6']);
  assert.equal(await headOf(path), '1 6');
  assert.equal(await ada.outcome('PUT', `${path}/bans/${ada.userId}`), '400 invalid_request');
  assert.equal(await ada.outcome('PUT', `${path}/bans/${nobody}`), '404 user_not_found');
  assert.equal(await bob.outcome('PUT', `${path}/members/me`), '404 conversation_not_found');
  const added = await ada.call('POST', `${path}/members`, { user_ids: [bob.userId] });
  assert.deepEqual(added.json(), [{ user_id: bob.userId, outcome: 'banned' }]);
  await database().replicated();
  const found = async (by: Client) => (await by.call('GET', '/channels?query=of%20the')).json<Channel[]>().length;
  assert.deepEqual([await found(bob), await found(kim)], [0, 1]);
  const bans = (await ada.call('GET', `${path}/bans`)).json<MemberWithUser[]>();
  assert.deepEqual(
    bans.map(({ user_id: id, banned }) => [id, banned]),
    [bob.userId, eve.userId].toSorted().map((id) => [id, true]),
  );
  assert.equal(await ada.outcome('DELETE', `${path}/bans/${bob.userId}`), '204');
  assert.equal(await ada.outcome('DELETE', `${path}/bans/${bob.userId}`), '204', 'no second change');
  assert.equal(await headOf(path), '1 7');
  assert.equal(await bob.outcome('PUT', `${path}/members/me`), '201');
});

test('members are listed in pages, with their users, for members alone', async () => {
  const path = await group(bob, eve, kim);
  await ada.call('DELETE', `${path}/members/${kim.userId}`);
  await database().replicated();
  const seen: MemberWithUser[] = [];
  let next: string | undefined = `${path}/members?limit=2`;
  while (next !== undefined) {
    const page = await bob.call('GET', next);
    seen.push(...page.json<MemberWithUser[]>());
    next = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(page.headers.link))?.groups?.['next'];
  }
  assert.deepEqual(
    seen.map(({ user_id: id, user }) => [id, user?.id]),
    [ada, bob, eve]
      .map(({ userId: id }) => id)
      .toSorted()
      .map((id) => [id, id]),
  );
  assert.equal(await kim.outcome('GET', `${path}/members`), '404 conversation_not_found');
  assert.equal(await bob.outcome('GET', `${path}/bans`), '403 not_permitted');
  assert.equal(await bob.outcome('GET', `${path}/members?after=x`), '400 invalid_request');
});

test('public channels are found by the beginning of the title, in any case, in pages', async () => {
  const titles = ['Ångström 1', 'ångström 2', 'ÅNGSTRÖM 3'];
  for (const title of titles) await ada.call('PATCH', await channel(), { title });
  const hidden = await channel();
  await ada.call('PATCH', hidden, { title: 'Ångström 0', is_public: false });
  await ada.call('DELETE', await create({ kind: 'channel', is_public: true, title: 'Ångström 4' }));
  await create({ kind: 'channel', title: 'Ångström 5' });
  await database().replicated();
  const seen: Channel[] = [];
  let next: string | undefined = `/channels?query=${encodeURIComponent('åNGST')}&limit=2`;
  while (next !== undefined) {
    const page = await kim.call('GET', next);
    seen.push(...page.json<Channel[]>());
    next = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(page.headers.link))?.groups?.['next'];
  }
  assert.deepEqual(
    seen.map(({ title }) => title),
    titles,
  );
  assert.deepEqual(
    (await ada.call('GET', '/channels?query=%C3%85ngstr%C3%B6m&limit=1')).json<Channel[]>().map((one) => one.is_member),
    [true],
  );
  assert.ok(seen.every((one) => !one.is_member && one.member_count === 1));
  assert.equal(await kim.outcome('GET', '/channels?after=x'), '400 invalid_request');
});
