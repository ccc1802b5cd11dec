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

/** Connections that the kernel has established and the server has not accepted yet, which takes the end of an event-loop turn. */
function openMany(count: number): void {
  const port = portOf(app);
  clients = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => undefined));
}

/** Event-loop turns until all of them are accepted. */
async function countTurns(): Promise<number> {
  openMany(crowd);
  await nextTurn();
  for (let turns = 0; ; turns += 1) {
    if (taken === crowd) return turns;
    await nextTurn();
  }
}

test('several new connections are accepted per event-loop turn, if ports can be shared', { skip }, async () => {
  await start({ reusePort: true });
  assert.ok((await countTurns()) < crowd / 3, 'the kernel spreads them over all listeners, unevenly');
});

test(
  'the limit of connections applies to all listeners together, and connections that close free their places',
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

test('waiting connections are accepted before the listeners close', { skip }, async () => {
  await start({ reusePort: true });
  openMany(crowd);
  await nextTurn();
  await listeners.emptyQueues();
  assert.equal(taken, crowd);
});

test('without shared ports there is one listener, with the same behaviour', async () => {
  await start({ reusePort: false });
  openMany(3);
  await waitFor('them to be there', () => clients.every(({ readyState }) => readyState === 'open'));
});

test('an address in use is refused, and nothing stays open', async () => {
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
