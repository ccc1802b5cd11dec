import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestServer } from '../../test/http-server.ts';
import { createSessionCookies, refuseOtherSites } from './session-cookie.ts';

const token = 't'.repeat(43);
const onLoopback = createSessionCookies({ isSecure: false, maxAgeDays: 30 });
const elsewhere = createSessionCookies({ isSecure: true, maxAgeDays: 30 });

function read(cookies: typeof onLoopback, headers: Record<string, string>, method = 'POST'): string | undefined {
  try {
    return cookies.read({ method, headers: { host: 'chat.example', ...headers } });
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

test('a cookie is read among others; what cannot be a token is none', () => {
  const ask = (cookie: string) => read(onLoopback, { cookie }, 'GET');
  assert.equal(ask(`theme=dark; messenger=${token}; lang=en`), token);
  assert.equal(ask(`__Host-messenger=${token}`), token);
  for (const cookie of ['messenger=short', `other=${token}`, `messenger=${token}x`, `xmessenger=${token}`, 'messenger'])
    assert.equal(ask(cookie), undefined, cookie);
});

test('off loopback, only the cookie counts that a subdomain or an unencrypted page cannot set', () => {
  assert.equal(read(elsewhere, { cookie: `messenger=${token}` }, 'GET'), undefined);
  assert.equal(read(elsewhere, { cookie: `__Host-messenger=${token}` }, 'GET'), token);
});

const refused = 'cross_site_request';

test('a change with a cookie must come from a page of this server', () => {
  const cookie = `messenger=${token}`;
  const outcomes: readonly (readonly [Record<string, string>, string])[] = [
    [{ origin: 'http://chat.example' }, token],
    [{ origin: 'https://chat.example' }, token],
    [{ 'sec-fetch-site': 'same-origin' }, token],
    [{ origin: 'http://chat.example', 'sec-fetch-site': 'same-origin' }, token],
    [{ origin: 'http://chat.example:80' }, token],
    [{}, refused],
    [{ origin: 'null' }, refused],
    [{ origin: 'http://evil.example' }, refused],
    [{ origin: 'http://chat.example:8081' }, refused],
    [{ origin: 'http://chat.example.evil.example' }, refused],
    [{ origin: 'http://evil.example/chat.example' }, refused],
    [{ 'sec-fetch-site': 'cross-site' }, refused],
    [{ 'sec-fetch-site': 'same-site' }, refused],
    [{ 'sec-fetch-site': 'none' }, refused],
    [{ origin: 'http://chat.example', 'sec-fetch-site': 'same-site' }, refused],
    [{ origin: 'null', 'sec-fetch-site': 'same-origin' }, refused],
  ];
  for (const [headers, outcome] of outcomes)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      assert.equal(read(onLoopback, { cookie, ...headers }, method), outcome, `${method} ${JSON.stringify(headers)}`);
});

test('off loopback and behind a proxy with HTTPS, a page without HTTPS is another site', () => {
  const secure = { cookie: `__Host-messenger=${token}`, origin: 'http://chat.example' };
  assert.equal(read(elsewhere, secure), refused);
  assert.equal(read(elsewhere, { ...secure, origin: 'https://chat.example' }), token);
  assert.equal(read(onLoopback, { ...secure, 'x-forwarded-proto': 'https' }), refused);
});

test('reads need no origin: a cookie of this kind is not sent with requests that other sites can read', () => {
  assert.equal(read(onLoopback, { cookie: `messenger=${token}`, 'sec-fetch-site': 'cross-site' }, 'GET'), token);
});

async function written(cookies: typeof onLoopback, headers: Record<string, string> = {}): Promise<unknown[]> {
  const app = await createTestServer();
  app.post('/set', async (request, reply) => cookies.set(request, reply, token));
  app.post('/clear', async (request, reply) => cookies.clear(request, reply));
  const answers = await Promise.all(
    ['/set', '/clear'].map(async (url) => app.inject({ method: 'POST', url, headers })),
  );
  await app.close();
  return answers.map((answer) => answer.headers['set-cookie']);
}

test('cookies have the attributes that keep other sites and scripts away', async () => {
  const attributes = 'Path=/; HttpOnly; SameSite=Lax; Max-Age=';
  const plain = [`messenger=${token}; ${attributes}2592000`, `messenger=; ${attributes}0`];
  const secure = plain.map((one) => `__Host-${one}; Secure`);
  assert.deepEqual(await written(onLoopback), plain);
  assert.deepEqual(await written(elsewhere), secure);
  assert.deepEqual(await written(onLoopback, { 'x-forwarded-proto': 'https' }), secure);
});

test('another site signs nobody in; programs, which say nothing of a site, may', () => {
  const ask = (headers: Record<string, string>) =>
    refuseOtherSites({ method: 'POST', headers: { host: 'chat.example', ...headers } });
  ask({});
  ask({ origin: 'https://chat.example', 'sec-fetch-site': 'same-origin' });
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])
    assert.throws(() => ask(headers), { code: refused });
});
