import assert from 'node:assert/strict';
import { test } from 'node:test';

import { codeOf, createTestServer, listen } from '../../test/http-server.ts';
import { enforceAccess } from './access.ts';
import { createRateLimits } from './rate-limits.ts';
import { createSessionCookies } from './session-cookie.ts';

const of = (letter: string) => ({ authorization: `Bearer ${letter.repeat(43)}` });

async function createLimited(limits: Partial<Parameters<typeof createRateLimits>[0]>) {
  const clock = { time: 0, now: () => clock.time };
  const app = await createTestServer();
  const find = async (token: string) =>
    token.startsWith('x') ? undefined : { userId: token, sessionId: token, role: 'member' as const };
  enforceAccess(app, {
    findSession: find,
    cookies: createSessionCookies({ isSecure: false, maxAgeDays: 1 }),
    limits: createRateLimits({ reads: 0, writes: 0, passwords: 0, ...limits }, clock),
  });
  const config = { access: 'guest' } as const;
  app.get('/thing', { config }, async () => ({}));
  app.put('/thing', { config }, async () => ({}));
  app.put('/password', { config: { access: 'signedIn', rateGroup: 'passwords' } }, async () => ({}));
  return { app, clock };
}

test('an account that calls faster than its limit is refused until the window ends, and others are not', async (t) => {
  const { app, clock } = await createLimited({ reads: 2 });
  t.after(() => app.close());
  const read = (letter: string) => app.inject({ url: '/thing', headers: of(letter) });
  const first = await read('a');
  assert.equal(first.headers['ratelimit-policy'], '"reads";q=2;w=60');
  assert.equal(first.headers['ratelimit'], '"reads";r=1;t=60');
  clock.time = 20_500;
  assert.equal((await read('a')).headers['ratelimit'], '"reads";r=0;t=40');
  const refused = await read('a');
  assert.equal(`${refused.statusCode} ${codeOf(refused)}`, '429 too_many_requests');
  assert.equal(refused.headers['retry-after'], '40');
  assert.equal(refused.headers['ratelimit'], '"reads";r=0;t=40');
  assert.equal((await read('b')).statusCode, 200);
  clock.time = 60_000;
  assert.equal((await read('a')).statusCode, 200);
});

test('answers and refusals on a connection carry the headers', async (t) => {
  const { app, clock } = await createLimited({ reads: 1 });
  clock.time = 5_562.599999999999; // The end of this window minus this time is more than a minute, in floating point.
  t.after(() => app.close());
  const url = `http://127.0.0.1:${await listen(app)}/thing`;
  for (const [status, type] of [
    [200, 'application/json; charset=utf-8'],
    [429, 'application/problem+json; charset=utf-8'],
  ] as const) {
    const answer = await fetch(url, { headers: { ...of('a'), connection: 'close' } });
    const headers = ['content-type', 'ratelimit-policy', 'ratelimit'].map((name) => answer.headers.get(name));
    assert.equal(answer.status, status);
    assert.deepEqual(headers, [type, '"reads";q=1;w=60', '"reads";r=0;t=60']);
  }
  const open = await fetch(url, { headers: { connection: 'close' } });
  assert.equal(open.headers.get('ratelimit'), null);
});

test('reads, writes and password checks have separate limits', async (t) => {
  const { app } = await createLimited({ reads: 1, writes: 2, passwords: 3 });
  t.after(() => app.close());
  for (const [method, url, quota, group] of [
    ['GET', '/thing', 1, 'reads'],
    ['PUT', '/thing', 2, 'writes'],
    ['PUT', '/password', 3, 'passwords'],
  ] as const) {
    const ask = () => app.inject({ method, url, headers: of('a') });
    for (let n = 1; n <= quota; n += 1)
      assert.equal((await ask()).headers['ratelimit'], `"${group}";r=${quota - n};t=60`);
    assert.equal((await ask()).statusCode, 429, group);
  }
});

test('HEAD counts once, as the read that it is', async (t) => {
  const { app } = await createLimited({ reads: 3 });
  t.after(() => app.close());
  const remaining: unknown[] = [];
  for (const method of ['HEAD', 'GET', 'HEAD'] as const)
    remaining.push((await app.inject({ method, url: '/thing', headers: of('a') })).headers['ratelimit']);
  assert.deepEqual(remaining, ['"reads";r=2;t=60', '"reads";r=1;t=60', '"reads";r=0;t=60']);
});

test('calls without a valid session, and those of a limit 0, are not limited and carry no headers', async (t) => {
  const { app } = await createLimited({ reads: 1 });
  t.after(() => app.close());
  for (const headers of [{}, of('x')])
    for (let n = 0; n < 3; n += 1) {
      const answer = await app.inject({ url: '/thing', headers });
      assert.deepEqual([answer.statusCode, answer.headers['ratelimit']], [200, undefined]);
    }
  for (let n = 0; n < 3; n += 1) {
    const answer = await app.inject({ method: 'PUT', url: '/thing', headers: of('a') });
    assert.deepEqual([answer.statusCode, answer.headers['ratelimit-policy']], [200, undefined]);
  }
});
