import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { createTestServer, portOf } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Listeners } from './listeners.ts';
import type { HttpServer } from './server.ts';

const skip = process.platform !== 'linux' && 'elsewhere the processes share one listener';
const crowd = 64;

let app: HttpServer;
let listeners: Listeners;
let taken = 0;
let clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients) client.destroy();
  listeners.close();
  app.server.closeAllConnections();
  await app.close();
});

async function start({
  reusePort,
  maxConnections = 1_000,
}: {
  reusePort: boolean;
  maxConnections?: number;
}): Promise<void> {
  app = await createTestServer({ total: maxConnections });
  app.get('/', async () => ({}));
  await app.ready();
  taken = 0;
  app.server.on('connection', () => (taken += 1));
  listeners = new Listeners(app.server, () => undefined);
  await listeners.listen({ host: '127.0.0.1', port: 0, reusePort });
}

/** Connections that the kernel has made, and that nobody has taken yet: for that, a turn of the event loop has to end. */
function openMany(count: number): void {
  const port = portOf(app);
  clients = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => undefined));
}

/** Turns of the event loop until all of them are taken. */
async function countTurns(): Promise<number> {
  openMany(crowd);
  await nextTurn();
  for (let turns = 0; ; turns += 1) {
    if (taken === crowd) return turns;
    await nextTurn();
  }
}

test('new connections do not wait for a turn of the event loop each, but where they have to', { skip }, async () => {
  await start({ reusePort: true });
  assert.ok((await countTurns()) < crowd / 3, 'the kernel spreads them over all listeners, unevenly');
});

test(
  'the limit of connections holds for all listeners together, and is free again when they close',
  { skip },
  async () => {
    await start({ reusePort: true, maxConnections: 5 });
    openMany(20);
    await waitFor('the others to be closed', () => clients.filter(({ destroyed }) => destroyed).length === 15);
    for (const client of clients) client.destroy();
    const ask = async (): Promise<boolean> => {
      const client = connect(portOf(app), '127.0.0.1').on('error', () => undefined);
      clients.push(client);
      let text = '';
      client.on('data', (chunk: Buffer) => (text += chunk.toString()));
      client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      await waitFor('the end', () => client.closed);
      return text.startsWith('HTTP/1.1 200');
    };
    await waitFor('there to be room', ask);
  },
);

test('those who wait when the listeners are about to close are taken first', { skip }, async () => {
  await start({ reusePort: true });
  openMany(crowd);
  await nextTurn();
  await listeners.emptyQueues();
  assert.equal(taken, crowd);
});

test('where a port cannot be shared there is one listener, and it does all the same', async () => {
  await start({ reusePort: false });
  openMany(3);
  await waitFor('them to be there', () => clients.every(({ readyState }) => readyState === 'open'));
});

test('an address that is taken is refused, and nothing stays open', async () => {
  await start({ reusePort: false });
  const other = await createTestServer();
  await assert.rejects(
    new Listeners(other.server, () => undefined).listen({ host: '127.0.0.1', port: portOf(app), reusePort: false }),
    {
      code: 'EADDRINUSE',
    },
  );
  assert.equal(other.server.listening, false);
  await other.close();
});
