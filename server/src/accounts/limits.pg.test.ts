import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LightMyRequestResponse } from 'fastify';

import { useApp } from '../../test/app.ts';
import { outcomeOf, password, signIn, signUp } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import type { App } from '../app.ts';

const database = useDatabase();
const env = { RATE_LIMIT_READS: '5', RATE_LIMIT_PASSWORDS: '3', TRUSTED_PROXIES: '10.0.0.0/8' };
const app = useApp(database, { env });
const otherWorker = useApp(database);

/** One request from an address. */
async function from(
  remoteAddress: string,
  body: object,
  { to = app(), headers = {} }: { to?: App; headers?: Record<string, string> } = {},
): Promise<LightMyRequestResponse> {
  const options = { method: 'POST', url: '/api/v1/sessions', headers, payload: body, remoteAddress } as const;
  return await to.http.inject(options);
}

const wrong = (username: string) => ({ username, password: 'not this password' });
const right = (username: string) => ({ username, password });

async function eventsOf(kind: string, userId: string | undefined): Promise<{ address: string; actor_id: string }[]> {
  return await database().sql(
    'select address, actor_id from audit where kind = $1 and user_id is not distinct from $2::uuid order by at',
    [kind, userId],
  );
}

test('after five wrong passwords, an address waits, on all workers, and all other addresses sign in', async () => {
  await signUp(app(), 'guessed');
  for (let n = 0; n < 5; n += 1)
    assert.equal(
      outcomeOf(await from('192.0.2.1', wrong('guessed'), { to: n % 2 === 0 ? app() : otherWorker() })),
      '401 invalid_credentials',
    );
  for (const to of [app(), otherWorker()])
    for (const body of [wrong('Guessed'), right('guessed')]) {
      const refused = await from('192.0.2.1', body, { to });
      assert.equal(outcomeOf(refused), '429 too_many_attempts');
      assert.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after']) <= 12);
    }
  assert.equal(outcomeOf(await from('192.0.2.2', right('guessed'))), '201');
});

test('names without an account are throttled like all others', async () => {
  for (let n = 0; n < 5; n += 1)
    assert.equal(outcomeOf(await from('192.0.2.3', wrong('nobody'))), '401 invalid_credentials');
  assert.equal(outcomeOf(await from('192.0.2.3', wrong('nobody'))), '429 too_many_attempts');
});

test('clients of a trusted proxy have separate limits; others cannot choose an address', async () => {
  await signUp(app(), 'proxied');
  const through = async (proxy: string, client: string) =>
    outcomeOf(await from(proxy, wrong('proxied'), { headers: { 'x-forwarded-for': client } }));
  for (let n = 0; n < 5; n += 1) assert.equal(await through('10.1.1.1', '203.0.113.1'), '401 invalid_credentials');
  assert.equal(await through('10.1.1.1', '203.0.113.1'), '429 too_many_attempts');
  assert.equal(await through('10.1.1.1', '203.0.113.2'), '401 invalid_credentials');
  for (let n = 0; n < 5; n += 1) assert.equal(await through('192.0.2.4', `198.51.100.${n}`), '401 invalid_credentials');
  assert.equal(await through('192.0.2.4', '198.51.100.9'), '429 too_many_attempts');
});

test('a wrong password is a security event of its account and address', async () => {
  const { userId, token } = await signUp(app(), 'watched');
  await from('192.0.2.5', wrong('watched'));
  const headers = { authorization: `Bearer ${token}` };
  const payload = { current: 'not this password', new: 'another password 12' };
  const change = await app().http.inject({ method: 'PUT', url: '/api/v1/me/password', headers, payload });
  assert.equal(outcomeOf(change), '403 wrong_password');
  const events = await eventsOf('sign_in_failed', userId);
  assert.deepEqual(
    events.map(({ address, actor_id: actor }) => [address, actor]),
    [
      ['192.0.2.5', null],
      ['127.0.0.1', null],
    ],
  );
  await from('192.0.2.6', wrong('a name, or a password by mistake'));
  assert.ok((await eventsOf('sign_in_failed', undefined)).some(({ address }) => address === '192.0.2.6'));
  const stored = JSON.stringify(await database().sql('select * from audit'));
  assert.doesNotMatch(stored, /by mistake|not this password/u);
});

test('an account has its rate limits, and calls without a session have none', async () => {
  const client = await signUp(app(), 'reader');
  const first = await client.call('GET', '/me');
  assert.equal(first.headers['ratelimit-policy'], '"reads";q=5;w=60');
  assert.equal(first.headers['ratelimit'], '"reads";r=4;t=60');
  for (let n = 0; n < 4; n += 1) assert.equal(await client.outcome('GET', `/users/${client.userId}`), '200');
  const refused = await client.call('GET', '/me');
  assert.equal(outcomeOf(refused), '429 too_many_requests');
  assert.ok(Number(refused.headers['retry-after']) > 50);
  assert.equal(await client.outcome('PATCH', '/me', { first_name: 'Other' }), '200', 'writes have another limit');
  for (let n = 0; n < 10; n += 1) {
    const open = await app().http.inject(`/api/v1/users/${client.userId}`);
    assert.deepEqual([open.statusCode, open.headers['ratelimit']], [200, undefined]);
  }
});

test('the password of a stolen session cannot be guessed fast', async () => {
  const client = await signUp(app(), 'stolen');
  const outcomes: string[] = [];
  for (let n = 0; n < 4; n += 1) outcomes.push(await client.outcome('DELETE', '/me', { password: `not this ${n}` }));
  assert.deepEqual(outcomes, [...Array.from({ length: 3 }, () => '403 wrong_password'), '429 too_many_requests']);
});

/** `password` of clients.ts, with less memory and fewer passes than today's. */
const oldHash = '$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$';

test('an outdated hash is replaced at the next sign-in, and the password still works', async () => {
  const { argon2Sync } = await import('node:crypto');
  const cost = { memory: 256, passes: 1, parallelism: 1, tagLength: 32 };
  const nonce = Buffer.from('somesaltsomesalt');
  const tag = argon2Sync('argon2id', { ...cost, message: password, nonce })
    .toString('base64')
    .replace('=', '');
  const { userId } = await signUp(app(), 'veteran');
  await database().sql('update accounts set password_hash = $2 where user_id = $1', [userId, oldHash + tag]);
  const hashOf = async () => {
    const [row] = await database().sql<{ hash: string }>(
      'select password_hash as hash from accounts where user_id = $1',
      [userId],
    );
    return row?.hash ?? '';
  };
  assert.equal(outcomeOf(await from('192.0.2.7', wrong('veteran'))), '401 invalid_credentials');
  assert.equal(await hashOf(), oldHash + tag, 'a wrong password changes nothing');
  await signIn(app(), 'veteran');
  assert.match(await hashOf(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/u);
  await signIn(app(), 'veteran');
});

test('an unknown name costs as much as a wrong password', async () => {
  await signUp(app(), 'timed');
  const cpuUs = async (name: string, address: string): Promise<number> => {
    const before = process.cpuUsage();
    for (let n = 0; n < 5; n += 1) await from(address, wrong(name));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const [known, unknown] = [await cpuUs('timed', '192.0.2.8'), await cpuUs('unheard', '192.0.2.9')];
  assert.ok(unknown > known / 2 && unknown < known * 2, `${unknown} µs against ${known} µs`);
});
