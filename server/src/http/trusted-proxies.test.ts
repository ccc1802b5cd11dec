import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestServer } from '../../test/http-server.ts';

async function addressSeen(
  trustedProxies: readonly string[],
  remoteAddress: string,
  forwardedFor?: string,
): Promise<string> {
  const app = await createTestServer({ trustedProxies });
  app.get('/address', async ({ ip }) => ({ ip }));
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  const answer = await app.inject({ url: '/address', remoteAddress, headers });
  await app.close();
  return answer.json<{ ip: string }>().ip;
}

test('without trusted proxies, a client cannot choose its address', async () => {
  assert.equal(await addressSeen([], '192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(await addressSeen([], '127.0.0.1', '203.0.113.9'), '127.0.0.1');
});

test('a trusted proxy names its client, and nobody else does', async () => {
  const proxies = ['10.0.0.0/8', '::1'];
  assert.equal(await addressSeen(proxies, '10.1.2.3', '203.0.113.9'), '203.0.113.9');
  assert.equal(await addressSeen(proxies, '::1', '203.0.113.9'), '203.0.113.9');
  assert.equal(await addressSeen(proxies, '192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(await addressSeen(proxies, '10.1.2.3'), '10.1.2.3');
});

test('what a client put into the header itself does not count: the proxy added its address behind it', async () => {
  assert.equal(await addressSeen(['10.0.0.0/8'], '10.1.2.3', '198.51.100.1, 203.0.113.9'), '203.0.113.9');
  assert.equal(await addressSeen(['10.0.0.0/8'], '10.1.2.3', '198.51.100.1, 203.0.113.9, 10.9.9.9'), '203.0.113.9');
});
