import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';

import { OperatorError } from '../lib/operator-error.ts';
import { findPort } from './port.ts';

const host = '127.0.0.1';
const isShareable = process.platform === 'linux' || process.platform === 'freebsd';

async function listen(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen({ host, port, reusePort: isShareable }, resolve);
  await promise;
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return { server, port: address.port };
}

test('port 0 finds one on which workers can listen', async () => {
  const found = await findPort(host, 0);
  const { server, port } = await listen(found);
  assert.equal(port, found);
  server.close();
});

test('a port of another Messenger is refused, although the system would allow sharing it', async () => {
  const { server, port } = await listen(0);
  await assert.rejects(findPort(host, port), (error) => {
    assert(error instanceof OperatorError);
    assert.match(error.message, new RegExp(`^Port ${port} on ${host} is taken by another program`, 'u'));
    return true;
  });
  server.close();
});

test('an address of another machine is refused by name', async () => {
  await assert.rejects(
    findPort('192.0.2.1', 0),
    /^OperatorError: This machine has no address 192\.0\.2\.1; see --host$/u,
  );
});
