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
  app.get('/busy', async () => {
    throw new AppError('pool_exhausted');
  });
  url = `http://127.0.0.1:${await listen(app)}`;
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});

const expected = {
  'content-security-policy':
    "default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;font-src 'self';" +
    "connect-src 'self';base-uri 'none';form-action 'self';frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};

test('every answer has the security headers, once each, refusals too', async () => {
  for (const [method, path, status] of [
    ['GET', '/things', 200],
    ['HEAD', '/things', 200],
    ['DELETE', '/things', 204],
    ['GET', '/busy', 503],
    ['GET', '/nowhere', 404],
    ['GET', '/%zz', 400],
  ] as const) {
    const answer = await fetch(`${url}${path}`, { method });
    await answer.text();
    assert.equal(answer.status, status, path);
    for (const [name, value] of Object.entries(expected))
      assert.equal(answer.headers.get(name), value, `${path} ${name}`);
  }
});
