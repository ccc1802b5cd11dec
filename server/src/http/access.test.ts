import assert from 'node:assert/strict';
import { test } from 'node:test';

import { codeOf, createTestServer } from '../../test/http-server.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { enforceAccess } from './access.ts';
import { createRateLimits } from './rate-limits.ts';
import { createSessionCookies } from './session-cookie.ts';

const member: SignedIn = { userId: 'u', sessionId: 's', role: 'member' };
const tokens = new Map<string, SignedIn>([
  ['m'.repeat(43), member],
  ['a'.repeat(43), { ...member, role: 'admin' }],
]);

async function createGuarded() {
  const app = await createTestServer();
  const limits = createRateLimits({ reads: 0, writes: 0, passwords: 0 }, { now: () => 0 });
  const cookies = createSessionCookies({ isSecure: false, maxAgeDays: 1 });
  enforceAccess(app, { findSession: async (token) => tokens.get(token), cookies, limits });
  for (const access of ['anyone', 'guest', 'signedIn', 'administrator'] as const)
    app.get(`/${access}`, { config: { access } }, async ({ account }) => ({ role: account?.role ?? 'nobody' }));
  return app;
}

const bearer = (letter: string) => ({ authorization: `Bearer ${letter.repeat(43)}` });

test('each route admits only the callers that it declares', async (t) => {
  const app = await createGuarded();
  t.after(() => app.close());
  const ask = async (url: string, headers: Record<string, string>) => {
    const answer = await app.inject({ url, headers });
    return answer.statusCode === 200 ? answer.json<{ role: string }>().role : codeOf(answer);
  };
  const expected = {
    '/anyone': ['nobody', 'nobody', 'nobody', 'nobody'],
    '/guest': ['nobody', 'nobody', 'member', 'admin'],
    '/signedIn': ['unauthenticated', 'unauthenticated', 'member', 'admin'],
    '/administrator': ['unauthenticated', 'unauthenticated', 'forbidden', 'admin'],
  };
  for (const [url, outcomes] of Object.entries(expected)) {
    const headers = [{}, bearer('x'), bearer('m'), bearer('a')];
    assert.deepEqual(await Promise.all(headers.map((one) => ask(url, one))), outcomes, url);
  }
});

test('a request awaits a promise only if its session is read', async (t) => {
  const app = await createTestServer();
  t.after(() => app.close());
  let ready = false;
  const waits: boolean[] = [];
  app.addHook('onRequest', (_request, _reply, done) => {
    ready = false;
    done();
    waits.push(!ready);
  });
  const cookies = createSessionCookies({ isSecure: false, maxAgeDays: 1 });
  const findSession = (token: string) => (token.startsWith('m') ? member : Promise.resolve(undefined));
  const limits = createRateLimits({ reads: 0, writes: 0, passwords: 0 }, { now: () => 0 });
  enforceAccess(app, { findSession, cookies, limits });
  const preHandler = (_request: unknown, _reply: unknown, done: () => void): void => {
    ready = true;
    done();
  };
  app.get('/guest', { config: { access: 'guest' }, preHandler }, async () => ({}));
  for (const headers of [{}, bearer('m'), bearer('x')]) await app.inject({ url: '/guest', headers });
  assert.deepEqual(waits, [false, false, true]);
});

test('a server with a route that does not declare its access does not start', async (t) => {
  const app = await createGuarded();
  t.after(() => app.close());
  app.get('/forgotten', async () => ({}));
  await assert.rejects(async () => app.ready(), /The route GET \/forgotten does not declare its access/u);
});

test('a plugin cannot declare a guarded access too late to be guarded', async (t) => {
  const app = await createGuarded();
  t.after(() => app.close());
  await app.register(async (pages) => {
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'signedIn' };
    });
    pages.get('/late', async () => ({}));
  });
  await assert.rejects(async () => app.ready(), /The route GET \/late does not declare its access/u);
});
