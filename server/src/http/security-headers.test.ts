import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createTestServer, listen } from '../../test/http-server.ts';
import { AppError } from '../lib/app-error.ts';
import type { HttpServer } from './server.ts';

let app: HttpServer;
let url = '';

before(async () => {
  app = await createTestServer();
  app.get('/things', async () => ({ thing: 1 }));
  app.delete('/things', async (_request, reply) => reply.code(204).send());
  app.get('/page', async (_request, reply) => await reply.type('text/html; charset=utf-8').send('<p>'));
  app.get('/kept', async (_request, reply) => reply.header('cache-control', 'max-age=1').send({ thing: 1 }));
  app.get('/busy', async () => {
    throw new AppError('pool_exhausted');
  });
  url = `http://127.0.0.1:${await listen(app)}`;
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});

/** The security headers of pages. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;font-src 'self';" +
    "connect-src 'self';base-uri 'none';form-action 'self';frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};

/** The headers of a response that only pages need. */
function pageHeadersOf({ headers }: Response): Record<string, string> {
  const names = Object.keys(pageHeaders).filter((name) => headers.has(name));
  return Object.fromEntries(names.map((name) => [name, headers.get(name) ?? '']));
}

test('every response forbids caching and sniffing, also refusals and responses without a body', async () => {
  for (const [method, path, status] of [
    ['GET', '/things', 200],
    ['HEAD', '/things', 200],
    ['DELETE', '/things', 204],
    ['GET', '/page', 200],
    ['GET', '/busy', 503],
    ['GET', '/nowhere', 404],
    ['GET', '/%zz', 400],
  ] as const) {
    const answer = await fetch(`${url}${path}`, { method });
    await answer.text();
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(answer.headers.get('cache-control'), 'no-store', path);
  }
});

test('a cacheable response has one Cache-Control', async () => {
  const answer = await fetch(`${url}/kept`);
  await answer.text();
  assert.equal(answer.headers.get('cache-control'), 'max-age=1');
});

test('a page has the security headers of pages, once each; JSON has none of them', async () => {
  const page = await fetch(`${url}/page`);
  await page.text();
  assert.deepEqual(pageHeadersOf(page), pageHeaders);
  for (const path of ['/things', '/busy', '/nowhere']) {
    const answer = await fetch(`${url}${path}`);
    await answer.text();
    assert.deepEqual(pageHeadersOf(answer), {}, path);
  }
});
