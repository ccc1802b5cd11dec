import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { useApp } from '../../test/app.ts';
import { outcomeOf, password, send, signIn, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { raceBehind } from '../../test/held-lock.ts';
import { waitFor } from '../../test/wait-for.ts';
import { sweepSessions } from './session-writer.ts';

const database = useDatabase();
// Enough connections for separate writes at the same moment.
const app = useApp(database, { maxOpen: 20 });

interface Listed {
  readonly id: string;
  readonly client: string;
  readonly address: string;
  readonly is_current: boolean;
}

test('a person sees where the account is signed in, ends one session, then all others', async () => {
  const first = await signUp(app(), 'ada');
  const second = await signIn(app(), 'ada');
  const third = await signIn(app(), 'ada');
  const list = async (): Promise<Listed[]> => (await second.call('GET', '/sessions')).json();
  assert.deepEqual(
    (await list()).map(({ id, is_current: isCurrent }) => [id, isCurrent]),
    [
      [third.sessionId, false],
      [second.sessionId, true],
      [first.sessionId, false],
    ],
  );
  assert.equal((await list())[0]?.address, '127.0.0.1');
  assert.equal(await second.outcome('DELETE', `/sessions/${first.sessionId.toUpperCase()}`), '204');
  assert.equal(await first.outcome('GET', '/me'), '401 unauthenticated');
  assert.equal(await second.outcome('DELETE', `/sessions/${first.sessionId}`), '404 session_not_found');
  assert.equal(await second.outcome('DELETE', '/sessions'), '204');
  assert.equal(await third.outcome('GET', '/me'), '401 unauthenticated');
  assert.equal((await list()).length, 1);
  assert.equal(await second.outcome('DELETE', `/sessions/${second.sessionId}`), '204');
  assert.equal(await second.outcome('GET', '/me'), '401 unauthenticated');
});

test('a sign-in ends the session that it is sent with, and no other', async () => {
  const [first, second] = [await signUp(app(), 'again'), await signIn(app(), 'again')];
  const other = await signUp(app(), 'again-as-other');
  const signInWith = async ({ token }: Client, username: string, withPassword = password) => {
    const headers = { authorization: `Bearer ${token}` };
    return await send(app(), 'POST', '/sessions', { body: { username, password: withPassword }, headers });
  };
  assert.equal(outcomeOf(await signInWith(first, 'again', 'not the password')), '401 invalid_credentials');
  assert.equal(await first.outcome('GET', '/me'), '200', 'a failed one ends none');
  assert.equal(outcomeOf(await signInWith(first, 'again')), '201');
  assert.equal(await first.outcome('GET', '/me'), '401 unauthenticated');
  assert.equal(await second.outcome('GET', '/me'), '200');
  assert.equal(outcomeOf(await signInWith(other, 'again')), '201');
  assert.equal(await other.outcome('GET', '/me'), '401 unauthenticated', 'also that of another account');
  const ended = await database().sql<{ user_id: string }>(
    "select user_id from audit where kind = 'sessions_ended' and user_id = any ($1) order by at",
    [[first.userId, other.userId]],
  );
  assert.deepEqual(
    ended.map(({ user_id: id }) => id),
    [first.userId, other.userId],
  );
});

test('nobody ends the session of another account', async () => {
  const victim = await signUp(app(), 'victim');
  const other = await signUp(app(), 'other');
  assert.equal(await other.outcome('DELETE', `/sessions/${victim.sessionId}`), '404 session_not_found');
  assert.equal(await victim.outcome('GET', '/me'), '200');
});

test('only a hash of the token is stored', async () => {
  const { token } = await signUp(app(), 'hashed');
  const tables = ['accounts', 'sessions', 'users', 'audit', 'throttles'];
  for (const table of tables) {
    const [row] = await database().sql<{ text: string }>(
      `select coalesce(string_agg(t::text, ' '), '') as text from ${table} t`,
    );
    for (const secret of [token, Buffer.from(token).toString('hex'), password])
      assert.equal(row?.text.includes(secret), false, table);
  }
});

test('an expired session is refused, and removed in small steps', async () => {
  const client = await signUp(app(), 'expired');
  await database().sql(`update sessions set expires_at = now() where user_id = $1`, [client.userId]);
  assert.equal(await client.outcome('GET', '/sessions'), '401 unauthenticated');
  await database().sql(
    `insert into sessions (user_id, token_hash, expires_at, user_agent, address)
     select $1, sha256(n::text::bytea), now(), '', '' from generate_series(1, 1500) as n`,
    [client.userId],
  );
  const { writePool } = app().databases;
  const step = async (): Promise<number> => writePool.transaction(sweepSessions);
  assert.deepEqual([await step(), await step(), await step()], [1_000, 501, 0]);
});

test('a session expires after days without use; use moves its end, up to its maximum age', async () => {
  const client = await signUp(app(), 'lasting');
  const age = async (days: number): Promise<void> => {
    await database().sql(
      `update sessions set created_at = now() - $2 * interval '1 day', last_used_at = now() - interval '2 hours',
              expires_at = now() + interval '1 hour' where user_id = $1`,
      [client.userId, days],
    );
  };
  const daysLeft = async (): Promise<number> => {
    const [row] = await database().sql<{ days: number }>(
      `select round(extract(epoch from expires_at - now()) / 86400)::int as days from sessions where user_id = $1`,
      [client.userId],
    );
    return row?.days ?? -1;
  };
  assert.equal(await daysLeft(), 30);
  await age(10);
  assert.equal(await client.outcome('GET', '/me'), '200');
  await waitFor('the use to be stored', async () => (await daysLeft()) === 30);
  await age(360);
  // What the first request has cached is a second old by then.
  await waitFor('the use to be stored', async () => {
    assert.equal(await client.outcome('GET', '/me'), '200');
    return (await daysLeft()) === 5;
  });
});

describe('a sign-in at the moment of a new password leaves no session', () => {
  const next = 'a different one 21';
  for (const [name, order] of Object.entries({ before: [0, 1], after: [1, 0] }))
    test(`${name} the change`, async () => {
      const client = await signUp(app(), `racer-${name}`);
      const body = { username: `racer-${name}`, password };
      const calls = [
        async () => outcomeOf(await send(app(), 'POST', '/sessions', { body })),
        async () => client.outcome('PUT', '/me/password', { current: password, new: next }),
      ];
      const inOrder = order.flatMap((index) => calls[index] ?? []);
      const outcomes = await raceBehind(database(), 'lock table sessions in share mode', inOrder);
      assert.ok(outcomes.includes('200'), outcomes.join());
      const left = await database().sql('select id from sessions where user_id = $1', [client.userId]);
      assert.deepEqual(left, [{ id: client.sessionId }], outcomes.join());
    });
});

describe('browsers', () => {
  const origin = { origin: 'http://127.0.0.1:8080', host: '127.0.0.1:8080' };

  test('a browser signs in by a cookie, which no script and no other site can use', async () => {
    await signUp(app(), 'browser');
    const body = { username: 'browser', password, cookie: true };
    const answer = await send(app(), 'POST', '/sessions', { body, headers: origin });
    assert.equal(outcomeOf(answer), '201');
    assert.equal(answer.json<{ token?: string }>().token, undefined);
    let [cookie = ''] = String(answer.headers['set-cookie']).split(';');
    const as = (headers: Record<string, string>) => ({ host: origin.host, cookie, ...headers });
    const change = async (headers: Record<string, string>) =>
      outcomeOf(await send(app(), 'PATCH', '/me', { body: { first_name: 'B' }, headers: as(headers) }));
    assert.equal(outcomeOf(await send(app(), 'GET', '/me', { headers: as({}) })), '200');
    assert.equal(await change(origin), '200');
    for (const [name, headers] of Object.entries({
      'another site': { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      'another port': { origin: 'http://127.0.0.1:9090', 'sec-fetch-site': 'same-site' },
      'a sandboxed frame': { origin: 'null', 'sec-fetch-site': 'cross-site' },
      'a program': {},
    }))
      assert.equal(await change(headers), '403 cross_site_request', name);
    const form = { ...as({ origin: 'https://evil.example' }), 'content-type': 'application/x-www-form-urlencoded' };
    const posted = await app().http.inject({
      method: 'POST',
      url: '/api/v1/users',
      headers: form,
      payload: 'first_name=x',
    });
    assert.equal(outcomeOf(posted), '403 cross_site_request');
    const next = { current: password, new: 'a different one 21' };
    const changed = await send(app(), 'PUT', '/me/password', { body: next, headers: as(origin) });
    assert.deepEqual(changed.json(), {}, 'no script sees the new token');
    assert.equal(outcomeOf(await send(app(), 'GET', '/me', { headers: as({}) })), '401 unauthenticated');
    [cookie = ''] = String(changed.headers['set-cookie']).split(';');
    assert.equal(outcomeOf(await send(app(), 'GET', '/me', { headers: as({}) })), '200');
    const leave = await send(app(), 'DELETE', `/sessions/${answer.json<{ session: { id: string } }>().session.id}`, {
      headers: as(origin),
    });
    assert.match(String(leave.headers['set-cookie']), /^messenger=; .*Max-Age=0/u);
    assert.equal(outcomeOf(await send(app(), 'GET', '/me', { headers: as({}) })), '401 unauthenticated');
  });

  test('another site signs nobody in', async () => {
    await signUp(app(), 'lured');
    const body = { username: 'lured', password, cookie: true };
    const headers = { host: origin.host, origin: 'https://evil.example' };
    assert.equal(outcomeOf(await send(app(), 'POST', '/sessions', { body, headers })), '403 cross_site_request');
  });
});

describe('with USERS_API=members and REGISTRATION=closed', () => {
  const closed = useApp(database, { env: { USERS_API: 'members', REGISTRATION: 'closed' } });

  test('the users API needs a session, and only administrators create accounts', async () => {
    const outcome = async (method: string, path: string, body?: object) =>
      outcomeOf(await send(closed(), method, path, { body }));
    const names = { first_name: 'A', last_name: 'B' };
    const member = await signUp(app(), 'member');
    const user = `/users/${member.userId}`;
    for (const [method, path, body] of [
      ['GET', '/users'],
      ['POST', '/users', names],
      ['GET', user],
      ['PUT', user, names],
      ['PATCH', user, names],
      ['DELETE', user],
    ] as const)
      assert.equal(await outcome(method, path, body), '401 unauthenticated', method);
    assert.equal(await outcome('HEAD', user), '401');
    const as = async (token: string, method: string, path: string, body?: object) =>
      outcomeOf(await send(closed(), method, path, { body, headers: { authorization: `Bearer ${token}` } }));
    assert.equal(await as(member.token, 'GET', '/users'), '200');
    const another = { username: 'another', password, ...names };
    assert.equal(await outcome('POST', '/accounts', another), '403 registration_closed');
    assert.equal(await as(member.token, 'POST', '/accounts', another), '403 registration_closed');
    const admin = await signIn(app(), 'ada');
    assert.equal(await as(admin.token, 'POST', '/accounts', another), '201');
  });
});
