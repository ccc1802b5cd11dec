import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { Connection, type Address } from './connection.ts';
import { resolveTarget } from './target.ts';

/** The source addresses of `count` connections to a server at this address. */
async function sourcesOf(count: number, toAddress: (port: number) => Address | Promise<Address>): Promise<Set<string>> {
  const sources = new Set<string>();
  const server = createServer((socket) => {
    sources.add(socket.remoteAddress ?? 'nowhere');
    socket.resume().end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  assert(typeof bound === 'object' && bound !== null);
  const address = await toAddress(bound.port);
  for (let n = 0; n < count; n += 1) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onFault = ({ kind }: { readonly kind: string }): void => reject(new Error(kind));
    new Connection(address, { onAnswer: () => resolve(), onFault }).send('GET / HTTP/1.1\r\n\r\n');
    await promise;
  }
  server.close();
  await once(server, 'close');
  return sources;
}

test('connections to this machine rotate between source addresses, so that ports are not exhausted', async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux has all of 127.0.0.0/8');
  const target = async (port: number): Promise<Address> =>
    (await resolveTarget(`http://127.0.0.1:${port}`, { allowRemote: false })).address;
  assert.equal((await sourcesOf(20, target)).size, 16);
});

test('without source addresses the system chooses', async () => {
  assert.equal((await sourcesOf(3, (port) => ({ host: '127.0.0.1', port }))).size, 1);
});
