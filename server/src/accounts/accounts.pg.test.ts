import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useApp } from '../../test/app.ts';
import { outcomeOf, password, send, signIn, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { raceBehind } from '../../test/held-lock.ts';

const database = useDatabase();
// Enough connections for separate writes at the same moment.
const app = useApp(database, { maxOpen: 20 });

let admin: Client;

const anonymous = async (method: string, path: string, body?: object): Promise<string> =>
  outcomeOf(await send(app(), method, path, { body }));

/** A user of the guide's API. */
async function createUser(): Promise<string> {
  const answer = await send(app(), 'POST', '/users', { body: { first_name: 'Plain', last_name: 'User' } });
  return answer.json<{ id: string }>().id;
}

test('of concurrent first accounts, exactly one becomes administrator', async () => {
  const signUps = ['root', 'one', 'two', 'three'].map((name) => async () => signUp(app(), name));
  const clients = await raceBehind(database(), 'lock table users in share mode', signUps);
  const outcomes = await Promise.all(clients.map(async (client) => client.outcome('GET', '/accounts')));
  assert.deepEqual(outcomes.toSorted(), ['200', '403 forbidden', '403 forbidden', '403 forbidden']);
  admin = clients[outcomes.indexOf('200')] ?? assert.fail('there is none');
  assert.equal(await admin.outcome('PATCH', '/me', { username: 'chief', password }), '200');
});

test('a person signs up, reads and changes the account, and deletes it', async () => {
  const ada = await signUp(app(), 'ada', { first_name: 'Ada', last_name: 'Lovelace' });
  const me = (await ada.call('GET', '/me')).json<{ account: object; user: object }>();
  assert.deepEqual(
    { ...me.account, created_at: '' },
    {
      user_id: ada.userId,
      username: 'ada',
      role: 'member',
      disabled: false,
      reads_private: false,
      presence_private: false,
      created_at: '',
    },
  );
  const changed = await ada.call('PATCH', '/me', { last_name: ' King ', username: 'Countess', password });
  const { account, user } = changed.json<{ account: { username: string }; user: { last_name: string } }>();
  assert.deepEqual([account.username, user.last_name], ['countess', 'King']);
  assert.equal(await anonymous('POST', '/sessions', { username: 'ada', password }), '401 invalid_credentials');
  assert.equal(await ada.outcome('DELETE', '/me', { password: 'not the password' }), '403 wrong_password');
  assert.equal(await ada.outcome('DELETE', '/me', { password }), '204');
  assert.equal(await ada.outcome('GET', '/me'), '401 unauthenticated');
  assert.equal(await anonymous('GET', `/users/${ada.userId}`), '404 user_not_found');
  const left = await database().sql('select 1 from sessions where user_id = $1', [ada.userId]);
  assert.equal(left.length, 0);
});

test('a username is unique regardless of case, width and composition', async () => {
  await signUp(app(), 'fiona.1');
  const again = { password, first_name: 'F', last_name: 'I' };
  for (const username of ['fiona.1', 'FIONA.1', 'ｆｉｏｎａ.1', 'ﬁona.1', ' fiona.1 ', 'fiona.①'])
    assert.equal(await anonymous('POST', '/accounts', { username, ...again }), '409 username_taken', username);
  for (const username of ['fіona', 'fiona..1', '.fiona', 'f', 'x'.repeat(33), 'fi ona', ''])
    assert.equal(await anonymous('POST', '/accounts', { username, ...again }), '400 invalid_request', username);
  assert.equal(await admin.outcome('PATCH', '/me', { username: 'Fiona.1', password }), '409 username_taken');
  await signIn(app(), 'ＦＩＯＮＡ.1');
});

test('an invalid password is refused with its field, and nothing is created', async () => {
  const body = { username: 'shorty', password: 'short', first_name: 'S', last_name: 'H' };
  const answer = await send(app(), 'POST', '/accounts', { body });
  assert.equal(outcomeOf(answer), '400 invalid_request');
  assert.deepEqual(
    answer.json<{ errors: { field: string }[] }>().errors.map(({ field }) => field),
    ['password'],
  );
  assert.deepEqual(await database().sql(`select 1 from accounts where username = 'shorty'`), []);
  assert.equal(
    await admin.outcome('PUT', '/me/password', { current: password, new: 'I am chief, really' }),
    '400 invalid_request',
  );
});

test('an unknown name and a wrong password get the same answer, byte for byte', async () => {
  const [wrong, unknown, impossible] = await Promise.all(
    [
      { username: 'chief', password: 'a wrong password' },
      { username: 'nobody', password },
      { username: '\0', password },
    ].map(async (body) => send(app(), 'POST', '/sessions', { body })),
  );
  const text = (answer = wrong) => answer?.body.replace(/"request_id":"[^"]*"/u, '');
  assert.equal(text(wrong), text(unknown));
  assert.equal(text(wrong), text(impossible));
  assert.equal(wrong?.headers['www-authenticate'], 'Bearer');
});

test('a new username needs the password, and other names do not', async () => {
  const user = await signUp(app(), 'babbage');
  assert.equal(await user.outcome('PATCH', '/me', { first_name: 'Charles' }), '200');
  const refused = await user.call('PATCH', '/me', { username: 'charles' });
  assert.equal(outcomeOf(refused), '400 invalid_request');
  assert.match(refused.body, /"field":"password","message":"is required for a new username"/u);
  const wrong = { username: 'charles', password: 'not the password' };
  assert.equal(await user.outcome('PATCH', '/me', wrong), '403 wrong_password');
  const { account } = (await user.call('GET', '/me')).json<{ account: { username: string } }>();
  assert.equal(account.username, 'babbage');
  assert.equal(await user.outcome('PATCH', '/me', { username: 'charles', password }), '200');
  await signIn(app(), 'charles');
});

test('a new password ends all other sessions, and the old one no longer works', async () => {
  const here = await signUp(app(), 'hopper');
  const there = await signIn(app(), 'hopper');
  const next = 'compilers compile 60';
  assert.equal(
    await here.outcome('PUT', '/me/password', { current: 'a wrong password', new: next }),
    '403 wrong_password',
  );
  assert.equal(await there.outcome('GET', '/me'), '200');
  const changed = await here.call('PUT', '/me/password', { current: password, new: next });
  assert.equal(outcomeOf(changed), '200');
  for (const old of [here, there])
    assert.equal(await old.outcome('GET', '/me'), '401 unauthenticated', 'a copied token is of no use, either');
  const headers = { authorization: `Bearer ${changed.json<{ token: string }>().token}` };
  const sessions = (await send(app(), 'GET', '/sessions', { headers })).json<{ id: string; is_current: boolean }[]>();
  assert.deepEqual(
    sessions.map(({ id, is_current: isCurrent }) => [id, isCurrent]),
    [[here.sessionId, true]],
  );
  assert.equal(await anonymous('POST', '/sessions', { username: 'hopper', password }), '401 invalid_credentials');
  await signIn(app(), 'hopper', next);
});

test('a disabled account has no sessions and gets none; enabled again, it signs in', async () => {
  const user = await signUp(app(), 'turing');
  const path = `/accounts/${user.userId}`;
  assert.equal(await user.outcome('PATCH', path, { disabled: true }), '403 forbidden');
  assert.equal(await anonymous('PATCH', path, { disabled: true }), '401 unauthenticated');
  assert.equal(await admin.outcome('PATCH', path, { disabled: true }), '200');
  assert.equal(await user.outcome('GET', '/me'), '401 unauthenticated');
  assert.equal(await anonymous('POST', '/sessions', { username: 'turing', password }), '403 account_disabled');
  const wrong = { username: 'turing', password: 'a wrong password' };
  assert.equal(await anonymous('POST', '/sessions', wrong), '401 invalid_credentials', 'only its owner learns it');
  assert.equal(await admin.outcome('PATCH', path, { disabled: false }), '200');
  assert.equal(await user.outcome('GET', '/me'), '401 unauthenticated', 'its old sessions stay ended');
  await signIn(app(), 'turing');
});

test('a changed role applies to the next request', async () => {
  const user = await signUp(app(), 'deputy');
  assert.equal(await user.outcome('GET', '/accounts'), '403 forbidden');
  await admin.call('PATCH', `/accounts/${user.userId}`, { role: 'admin' });
  assert.equal(await user.outcome('GET', '/accounts'), '200');
  await admin.call('PATCH', `/accounts/${user.userId}`, { role: 'moderator' });
  assert.equal(await user.outcome('GET', '/accounts'), '403 forbidden');
  assert.equal(
    await admin.outcome('PATCH', `/accounts/${await createUser()}`, { role: 'admin' }),
    '404 account_not_found',
  );
});

test('the last administrator cannot step down, also not concurrently with another', async () => {
  const self = `/accounts/${admin.userId}`;
  assert.equal(await admin.outcome('PATCH', self, { role: 'member' }), '409 last_administrator');
  assert.equal(await admin.outcome('PATCH', self, { disabled: true }), '409 last_administrator');
  assert.equal(await admin.outcome('DELETE', '/me', { password }), '409 last_administrator');
  assert.equal(await admin.outcome('DELETE', `/users/${admin.userId}`), '409 last_administrator');
  const second = await signUp(app(), 'second');
  await admin.call('PATCH', `/accounts/${second.userId}`, { role: 'admin' });
  const held = `select from accounts where user_id = '${second.userId}' for update`;
  const stepDown = [second, admin].map(
    (one) => async () => one.outcome('PATCH', `/accounts/${one.userId}`, { role: 'member' }),
  );
  const outcomes = await raceBehind(database(), held, stepDown);
  assert.deepEqual(outcomes.toSorted(), ['200', '409 last_administrator']);
  const admins = await database().sql(`select user_id from accounts where role = 'admin'`);
  assert.equal(admins.length, 1);
  await database().sql(`update accounts set role = case username when 'chief' then 'admin' else 'member' end`);
});

test('only the account itself and administrators can change a user with an account', async () => {
  const owner = await signUp(app(), 'owner');
  const other = await signUp(app(), 'other');
  const path = `/users/${owner.userId}`;
  const names = { first_name: 'New', last_name: 'Name' };
  for (const [method, body] of [
    ['PUT', names],
    ['PATCH', names],
    ['DELETE', undefined],
  ] as const) {
    assert.equal(await anonymous(method, path, body), '401 unauthenticated', method);
    assert.equal(await other.outcome(method, path, body), '403 forbidden', method);
  }
  await database().replicated();
  const { updated_at: first } = (await owner.call('GET', path)).json<{ updated_at: string }>();
  for (const method of ['PUT', 'DELETE'])
    assert.equal(
      outcomeOf(await send(app(), method, path, { body: names, headers: { 'if-match': `"${first}"` } })),
      '401 unauthenticated',
    );
  assert.equal(await owner.outcome('PUT', path, names), '200');
  assert.equal(await admin.outcome('PATCH', path, { first_name: 'Newer' }), '200');
  assert.equal(await owner.outcome('DELETE', path), '403 forbidden', 'with the password, by DELETE /me');
  await database().replicated();
  const { updated_at: version } = (await owner.call('GET', path)).json<{ updated_at: string }>();
  const headers = { authorization: `Bearer ${owner.token}`, 'if-match': '"2020-01-01T00:00:00.000000Z"' };
  assert.equal(outcomeOf(await send(app(), 'PATCH', path, { body: names, headers })), '412 precondition_failed');
  const current = { ...headers, 'if-match': `"${version}"` };
  assert.equal(outcomeOf(await send(app(), 'PATCH', path, { body: names, headers: current })), '200');
  assert.equal(await admin.outcome('DELETE', path), '204');
  assert.equal(await owner.outcome('GET', '/me'), '401 unauthenticated');
});

test('everyone can change a user without an account, as before', async () => {
  const path = `/users/${await createUser()}`;
  assert.equal(await anonymous('PATCH', path, { first_name: 'Other' }), '200');
  assert.equal(await anonymous('DELETE', path), '204');
  assert.equal(await anonymous('DELETE', path), '404 user_not_found');
});

test('people are found by the beginning of each name and of the username, in pages', async () => {
  const names = ['Zoë', 'ZOË', 'zoë'];
  const ids: string[] = [];
  for (const [index, first] of names.entries())
    ids.push((await signUp(app(), `finder${index}`, { first_name: first, last_name: 'van Öst' })).userId);
  await createUser();
  const find = async (query: string, rest = '') => {
    await database().replicated();
    return await admin.call('GET', `/users?query=${encodeURIComponent(query)}${rest}`);
  };
  const found = async (query: string) => (await find(query)).json<{ id: string }[]>().map(({ id }) => id);
  for (const query of ['zo', 'ZOË', 'zoë van ö', 'van öst', 'VAN', 'finder'])
    assert.deepEqual(await found(query), ids, query);
  assert.deepEqual(await found('finder1'), [ids[1]]);
  assert.deepEqual(await found('öst'), [], 'the beginning, not a part');
  assert.deepEqual(await found('plain'), [], 'users without an account are no people');
  const first = await find('zoë', '&limit=2');
  const { next } = /<(?<next>[^>]+)>/u.exec(String(first.headers.link))?.groups ?? {};
  const second = await admin.call('GET', (next ?? '').replace('/api/v1', ''));
  assert.deepEqual(
    [...first.json<{ id: string }[]>(), ...second.json<{ id: string }[]>()].map(({ id }) => id),
    ids,
  );
  assert.equal(await anonymous('GET', '/users?query=zo'), '401 unauthenticated');
  assert.equal(outcomeOf(await find('zo', '&offset=1')), '400 invalid_request');
  await admin.call('PATCH', '/me', { first_name: 'Zoe\u0308' });
  assert.equal((await found('zoë')).length, 4, 'a change of name is found');
});

test('administrators list all accounts in pages, newest first', async () => {
  const seen: string[] = [];
  let path: string | undefined = '/accounts?limit=3';
  while (path !== undefined) {
    const page = await admin.call('GET', path);
    seen.push(...page.json<{ account: { user_id: string } }[]>().map(({ account }) => account.user_id));
    path = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(page.headers.link))?.groups?.['next'];
  }
  const all = await database().sql<{ user_id: string }>('select user_id from accounts order by user_id desc');
  assert.deepEqual(
    seen,
    all.map(({ user_id: id }) => id),
  );
});

test('security events are stored with the change', async () => {
  const user = await signUp(app(), 'audited');
  await admin.call('PATCH', `/accounts/${user.userId}`, { role: 'moderator', disabled: true });
  const rows = await database().sql<{ kind: string; actor_id: string; address: string }>(
    'select kind, actor_id, address from audit where user_id = $1 order by at, kind',
    [user.userId],
  );
  assert.deepEqual(
    rows.map(({ kind, actor_id: actor, address }) => [kind, actor === user.userId ? 'self' : actor, address]),
    [
      ['account_created', 'self', '127.0.0.1'],
      ['signed_in', 'self', '127.0.0.1'],
      ['account_disabled', admin.userId, '127.0.0.1'],
      ['role_changed', admin.userId, '127.0.0.1'],
    ],
  );
});
