import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';
import type { Invite, InvitePreview } from '@messenger/protocol/invites';
import { invitesMax } from '@messenger/protocol/limits';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { raceBehind } from '../../test/held-lock.ts';
import { recordLog } from '../../test/log-lines.ts';

const database = useDatabase();
const { log, text } = recordLog();
// Enough connections for separate writes at the same moment.
const app = useApp(database, { maxOpen: 20, log, env: { LOG_REQUESTS: '1000', LOG_SLOW_REQUEST_MS: '0' } });

let ada: Client;
let bob: Client;
let eve: Client;

test('people sign up', async () => {
  [ada, bob, eve] = [await signUp(app(), 'ada'), await signUp(app(), 'bob'), await signUp(app(), 'eve')];
});

async function create(kind: 'group' | 'channel', ...members: Client[]): Promise<string> {
  const body = { kind, title: 'Title', members: members.map(({ userId }) => userId) };
  return `/conversations/${(await ada.call('POST', '/conversations', body)).json<Conversation>().id}`;
}

const invite = async (path: string, body: object = {}): Promise<Invite> =>
  (await ada.call('POST', `${path}/invites`, body)).json();
const accept = async (by: Client, { code }: Invite): Promise<string> => by.outcome('POST', `/invites/${code}/accept`);

test('an invite shows where it leads, and lets people in with its role', async () => {
  const path = await create('channel');
  const made = await invite(path, { role: 'member', max_uses: 5 });
  assert.match(made.code, /^[\w-]{22}$/u);
  assert.deepEqual(
    { ...made, code: '', created_at: '' },
    {
      code: '',
      conversation_id: path.slice(-36),
      role: 'member',
      created_by: ada.userId,
      created_at: '',
      uses: 0,
      max_uses: 5,
      expires_at: null,
      revoked_at: null,
    },
  );
  await database().replicated();
  const preview = (await bob.call('GET', `/invites/${made.code}`)).json<InvitePreview>();
  const { id, kind, title, about, member_count: count } = preview.conversation;
  assert.deepEqual([`/conversations/${id}`, kind, title, about, count], [path, 'channel', 'Title', '', 1]);
  assert.deepEqual([preview.role, preview.is_member], ['member', false]);
  const joined = await bob.call('POST', `/invites/${made.code}/accept`);
  const { me, member_count: after, seq } = joined.json<Conversation>();
  assert.deepEqual([outcomeOf(joined), me.role, after, seq], ['201', 'member', 2, 3]);
  assert.equal(await accept(bob, made), '200', 'a member stays one');
  await database().replicated();
  const [stored] = (await ada.call('GET', `${path}/invites`)).json<Invite[]>();
  assert.deepEqual([stored?.code, stored?.uses], [made.code, 1]);
});

test('of two people who accept the last use at the same moment, one joins', async () => {
  const path = await create('group');
  const last = await invite(path, { max_uses: 1 });
  const held = `select from conversations where id = '${path.slice(-36)}' for update`;
  const outcomes = await raceBehind(
    database(),
    held,
    [bob, eve].map((by) => async () => accept(by, last)),
  );
  assert.deepEqual(outcomes.toSorted(), ['201', '404 invite_not_found']);
  const [row] = await database().sql('select member_count, seq::int from conversations where id = $1', [
    path.slice(-36),
  ]);
  assert.deepEqual(row, { member_count: 2, seq: 3 });
});

test('an invite that is unknown, expired, used up or revoked gets one answer, and so do people who are banned', async () => {
  const path = await create('group');
  const [expired, used, revoked, valid] = [
    await invite(path, { expires_in_seconds: 1 }),
    await invite(path, { max_uses: 1 }),
    await invite(path),
    await invite(path),
  ];
  await database().sql(`update invites set expires_at = now() where expires_at is not null`);
  await database().sql('update invites set uses = 1 where max_uses = 1');
  assert.equal(await ada.outcome('DELETE', `${path}/invites/${revoked.code}`), '204');
  assert.equal(await ada.outcome('DELETE', `${path}/invites/${revoked.code}`), '404 invite_not_found');
  assert.equal(await ada.outcome('DELETE', `${await create('group')}/invites/${valid.code}`), '404 invite_not_found');
  await ada.call('PUT', `${path}/bans/${eve.userId}`);
  await database().replicated();
  const unknown = { ...valid, code: 'AAAAAAAAAAAAAAAAAAAAAA' };
  for (const one of [expired, used, revoked, unknown]) {
    assert.equal(await bob.outcome('GET', `/invites/${one.code}`), '404 invite_not_found');
    assert.equal(await accept(bob, one), '404 invite_not_found');
  }
  assert.equal(await eve.outcome('GET', `/invites/${valid.code}`), '404 invite_not_found');
  assert.equal(await accept(eve, valid), '404 invite_not_found');
  assert.equal(await bob.outcome('GET', `/invites/%00`), '400 invalid_request');
  await ada.call('DELETE', path);
  assert.equal(await accept(bob, valid), '404 invite_not_found', 'of a deleted conversation');
});

test('invites are those of administrators, up to their own role', async () => {
  const path = await create('group', bob, eve);
  await ada.call('PATCH', `${path}/members/${bob.userId}`, { role: 'admin' });
  const wanted = async (by: Client, body: object) => by.outcome('POST', `${path}/invites`, body);
  assert.equal(await wanted(bob, { role: 'admin' }), '201');
  assert.equal(await wanted(eve, {}), '403 not_permitted');
  for (const body of [{ role: 'owner' }, { role: 'reader' }, { max_uses: 0 }, { expires_in_seconds: 0 }, { uses: 1 }])
    assert.equal(await wanted(ada, body), '400 invalid_request', JSON.stringify(body));
  assert.equal(await eve.outcome('GET', `${path}/invites`), '403 not_permitted');
});

test('a full conversation lets nobody in and uses nothing', async () => {
  const path = await create('group');
  const made = await invite(path);
  await database().sql('update conversations set member_count = 1000 where id = $1', [path.slice(-36)]);
  assert.equal(await accept(bob, made), '409 conversation_full');
  assert.deepEqual(await database().sql('select uses from invites where code = $1', [made.code]), [{ uses: 0 }]);
});

test('the number of invites has a bound, which those that are not valid do not reach', async () => {
  const path = await create('group');
  await database().sql(
    `insert into invites (code, conversation_id, role, created_by, revoked_at)
     select $1 || n, $1::uuid, 'member', $2, now() from generate_series(1, $3::int) as n`,
    [path.slice(-36), ada.userId, invitesMax],
  );
  await invite(path);
  const count = async () =>
    (await database().sql('select from invites where conversation_id = $1', [path.slice(-36)])).length;
  assert.equal(await count(), 1);
  await database().sql(
    `insert into invites (code, conversation_id, role, created_by)
     select $1 || n, $1::uuid, 'member', $2 from generate_series(2, $3::int) as n`,
    [path.slice(-36), ada.userId, invitesMax],
  );
  assert.equal(await ada.outcome('POST', `${path}/invites`, {}), '409 too_many_invites');
});

test('the log has no codes', async () => {
  const codes = await database().sql<{ code: string }>('select code from invites where length(code) = 22');
  assert.ok(codes.length > 3);
  assert.match(text(), /\/invites\/:code\/accept/u);
  for (const { code } of codes) assert.ok(!text().includes(code));
});
