import assert from 'node:assert/strict';
import { Agent, request as sendRequest } from 'node:http';
import { connect, Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';

import { createTestServer, listen, sendRaw } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { Clock } from '../lib/clock.ts';
import { Connections, type ShedReason } from './connections.ts';
import type { HttpServer } from './server.ts';

let app: HttpServer | undefined;
let clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  app?.server.closeAllConnections();
  await app?.close();
  app = undefined;
});

interface Room {
  readonly port: number;
  readonly connections: Connections;
  /** Answers the pending requests of `/held`. */
  readonly release: () => void;
}

async function serve(total: number, clock?: Clock): Promise<Room> {
  const connections = new Connections({ total, perAddress: 0, clock });
  const held = Promise.withResolvers<void>();
  app = await createTestServer({ connections });
  app.get('/', async () => ({}));
  app.post('/', async () => ({}));
  app.get('/held', async () => {
    await held.promise;
    return {};
  });
  return { port: await listen(app), connections, release: held.resolve };
}

/** A connection, and the data received on it. */
function open(port: number, ...requests: readonly string[]): { readonly socket: Socket; readonly told: () => string } {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  clients.push(socket);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  for (const request of requests) socket.write(request);
  return { socket, told: () => text };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

async function ask(port: number): Promise<number> {
  return (await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).statusCode;
}

describe('at the limit of connections', () => {
  test('a new client stays while another one has been sending a body for a second', async () => {
    let nowMs = 0;
    const { port, connections } = await serve(2, { now: () => nowMs });
    const slow = open(
      port,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await waitFor('a slow body', () => connections.counts.active === 1);
    nowMs = 1_001;
    const fresh = open(port);
    await waitFor('a new one', () => connections.counts.silent === 1);
    assert.equal(await ask(port), 200);
    await waitFor('the slow one to be closed', () => slow.socket.destroyed);
    fresh.socket.write(get('/'));
    await waitFor('an answer', () => fresh.told().startsWith('HTTP/1.1 200'));
  });

  test('a client with a slow body is evicted for a new one, and one with a complete request is not', async () => {
    const { port, connections, release } = await serve(3);
    const held = open(port, get('/held'));
    await waitFor('a request in flight', () => connections.counts.active === 1);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    const slow = open(port, head);
    await waitFor('a slow body', () => connections.counts.active === 2);
    const behind = open(port, get('/'), head);
    await waitFor('a slow body behind another request', () => connections.counts.active === 3 && behind.told() !== '');
    assert.equal(await ask(port), 200);
    await waitFor('the first to be closed', () => slow.socket.destroyed);
    const kept = open(port, get('/'));
    await waitFor('an answer', () => kept.told() !== '');
    kept.socket.write(get('/held'));
    await waitFor('three active', () => connections.counts.active === 3);
    assert.equal(await ask(port), 200);
    await waitFor('the other one to be closed', () => behind.socket.destroyed);
    assert.equal(connections.shed.slow_body, 2);
    release();
    await waitFor('the whole requests to be answered', () => held.told() !== '');
    assert.match(kept.told(), /HTTP\/1\.1 200 OK.*HTTP\/1\.1 200 OK/su);
  });

  test('the longest silent one is evicted for a new one, which is served', async () => {
    const { port, connections } = await serve(3);
    const silent: Socket[] = [];
    for (let count = 1; count <= 3; count += 1) {
      silent.push(open(port).socket);
      await waitFor('it to be there', () => connections.counts.silent === count);
    }
    assert.equal(await ask(port), 200);
    await waitFor('one to be closed', () => silent.some(({ destroyed }) => destroyed));
    assert.deepEqual(
      silent.map(({ destroyed }) => destroyed),
      [true, false, false],
    );
    assert.equal(connections.shed.silent, 1);
  });

  test('one without any request is evicted before an idle one', async () => {
    const { port, connections } = await serve(2);
    const idle = open(port, get('/'));
    await waitFor('its answer', () => connections.counts.idle === 1);
    const silent = open(port, 'GET / HTTP/1.1\r\n');
    await waitFor('it to be there', () => connections.counts.silent === 1);
    assert.equal(await ask(port), 200);
    await waitFor('it to be closed', () => silent.socket.destroyed);
    idle.socket.write(get('/'));
    await waitFor('the second answer', () => idle.told().split('HTTP/1.1 200').length === 3);
  });

  test('an idle one is evicted before a new one is refused', async () => {
    const { port, connections } = await serve(1);
    const idle = open(port, get('/'));
    await waitFor('its answer', () => connections.counts.idle === 1);
    assert.equal(await ask(port), 200);
    await waitFor('it to be closed', () => idle.socket.destroyed);
    assert.equal(connections.shed.idle, 1);
  });

  test('one with a request in flight stays: the new one is closed at once and counted', async () => {
    const { port, connections, release } = await serve(1);
    const busy = open(port, get('/held'));
    await waitFor('it to be at work', () => connections.counts.active === 1);
    const late = open(port, get('/'));
    await waitFor('it to be closed', () => late.socket.destroyed);
    assert.equal(late.told(), '');
    assert.equal(connections.shed.full, 1);
    release();
    await waitFor('the answer', () => busy.told().startsWith('HTTP/1.1 200'));
  });

  test('pipelined requests are in flight until the last one is answered', async () => {
    const { port, connections, release } = await serve(1);
    const busy = open(port, get('/'), get('/held'));
    await waitFor('the first answer', () => busy.told().includes('HTTP/1.1 200'));
    const late = open(port, get('/'));
    await waitFor('it to be closed', () => late.socket.destroyed);
    assert.deepEqual(connections.counts, { active: 1, idle: 0, silent: 0, upgraded: 0 });
    release();
    await waitFor('both answers', () => connections.counts.idle === 1);
  });
});

test('a connection that moves closes with an answer behind which no request waits', async () => {
  const { port, connections, release } = await serve(10);
  const client = open(port, get('/held'), get('/'));
  await waitFor('both requests', () => connections.counts.active === 1);
  connections.move(1);
  release();
  await waitFor('both answers', () => client.told().split('HTTP/1.1 200').length === 3);
  assert.doesNotMatch(client.told(), /connection: close/iu);
  client.socket.write(get('/'));
  await waitFor('the end', () => client.socket.destroyed);
  assert.match(client.told(), /connection: close/iu);
});

test('ended connections are forgotten in any state', async () => {
  const { port, connections } = await serve(10);
  open(port);
  open(port, get('/'));
  open(port, get('/held'));
  await waitFor('all', () => connections.counts.active + connections.counts.idle + connections.counts.silent === 3);
  for (const client of clients) client.resetAndDestroy();
  await waitFor('none', () => connections.counts.silent + connections.counts.idle === 0);
  await waitFor('none', () => connections.counts.active === 0);
});

describe('the limit of an address', () => {
  const shed: [ShedReason, string | undefined][] = [];

  function arrive(connections: Connections, address: string): Socket {
    const socket = new Socket();
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    connections.admit(socket);
    clients.push(socket);
    return socket;
  }

  test('closes further connections of only that address at once', async () => {
    const connections = new Connections({ total: 100, perAddress: 2, onShed: (...one) => shed.push(one) });
    const [first] = [arrive(connections, '192.0.2.7'), arrive(connections, '192.0.2.7')];
    assert.equal(arrive(connections, '192.0.2.7').destroyed, true);
    assert.deepEqual(shed, [['address_limit', '192.0.2.7']]);
    assert.equal(arrive(connections, '192.0.2.8').destroyed, false);
    first.destroy();
    await waitFor('it to be forgotten', () => connections.counts.silent === 2);
    assert.equal(arrive(connections, '192.0.2.7').destroyed, false);
  });

  test('does not apply to programs on this machine, such as a reverse proxy', () => {
    const connections = new Connections({ total: 100, perAddress: 1 });
    for (let n = 0; n < 5; n += 1) assert.equal(arrive(connections, '127.0.0.1').destroyed, false);
  });
});

test('the share of eager clients counts requests right after an answer, not those on new connections', async () => {
  const { port, connections } = await serve(100);
  const share = (): number => connections.eagerShare;
  assert.equal(share(), 1);
  for (let n = 0; n < 64; n += 1) await ask(port);
  assert.ok(share() < 0.4, `new connections: ${share()}`);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 0; n < 64; n += 1) await askOn(agent, port);
  agent.destroy();
  assert.ok(share() > 0.6, `one client: ${share()}`);
});

async function askOn(agent: Agent, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  sendRequest({ port, agent }, (answer) => answer.resume().once('end', resolve))
    .once('error', reject)
    .end();
  await promise;
}
