import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';

import { createTestServer, portOf } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Connections } from './connections.ts';
import { Drain, type DrainOptions } from './drain.ts';
import { Listeners } from './listeners.ts';
import type { HttpServer } from './server.ts';
import { acceptUpgrade } from './upgrade.ts';

const never = new AbortController().signal;
/** Longer than any test. */
const longMs = 30_000;

let app: HttpServer;
let drain: Drain;
let listeners: Listeners;
let connections: Connections;
let port = 0;
/** Whether the handler of `/slow` is running, and the function that ends it. */
let isRunning = false;
let finish: () => void = () => undefined;
let clients: Socket[] = [];
/** The server's side of `/upgraded`. */
let upgraded: Socket | undefined;

beforeEach(async () => {
  connections = new Connections({ total: 100, perAddress: 0 });
  app = await createTestServer({ requestTimeoutMs: longMs, keepAliveSeconds: 3_600, connections });
  drain = new Drain(connections);
  listeners = new Listeners(app.server, () => undefined);
  isRunning = false;
  app.get('/fast', async () => ({ answer: 'fast' }));
  app.get('/slow', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    finish = resolve;
    isRunning = true;
    await promise;
    return { answer: 'slow' };
  });
  app.get('/upgraded', { config: { upgrades: true } }, (_request, reply) => {
    upgraded = acceptUpgrade(reply)?.socket;
    upgraded?.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  await app.ready();
  await listeners.listen({ host: '127.0.0.1', port: 0, reusePort: process.platform === 'linux' });
  port = portOf(app);
  clients = [];
});
afterEach(async () => {
  finish();
  for (const socket of clients) socket.destroy();
  app.server.closeAllConnections();
  await app.close();
});

interface Client {
  readonly socket: Socket;
  text: string;
  isClosed: boolean;
}

async function open(): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  clients.push(socket);
  const client: Client = { socket, text: '', isClosed: false };
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    client.text += chunk;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    client.isClosed = true;
  });
  await once(socket, 'connect');
  return client;
}

function ask(client: Client, path: string): void {
  client.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
}

async function used(): Promise<Client> {
  const client = await open();
  ask(client, '/fast');
  await waitFor('an answer', () => client.text.includes('fast'));
  client.text = '';
  return client;
}

type Times = Omit<DrainOptions, 'isReplaced' | 'othersClosed'> & Partial<DrainOptions>;

const neverClosed = async (): Promise<void> => Promise.withResolvers<void>().promise;

/** The state of a drain, and how to await its end. */
function run(times: Times, signal: AbortSignal = never): { readonly over: Promise<void>; isOver: boolean } {
  const running = { isOver: false, over: Promise.resolve() };
  running.over = drain
    .run(app, listeners, { isReplaced: false, othersClosed: neverClosed, ...times }, signal)
    .then(() => {
      running.isOver = true;
    });
  return running;
}

async function untilRefused(): Promise<void> {
  await waitFor('the listener to close', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, '127.0.0.1', () => resolve(false));
    socket.on('error', () => resolve(true));
    const isRefused = await promise;
    socket.destroy();
    return isRefused;
  });
}

test('a drain refuses new connections, and answers requests in flight before its end', async () => {
  const client = await open();
  ask(client, '/slow');
  await waitFor('the handler to run', () => isRunning);
  const draining = run({ delayMs: 0, settleMs: 0, lingerMs: 0 });
  await untilRefused();
  await waitFor('connections to be closing', () => connections.areClosing);
  assert.equal(draining.isOver, false);
  finish();
  await draining.over;
  await waitFor('the connection to close', () => client.isClosed);
  assert.match(client.text, /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*\{"answer":"slow"\}$/u);
});

test('a silent connection can still deliver a request in transit, used before or not', async () => {
  const silent = [await used(), await open()];
  const draining = run({ delayMs: 0, settleMs: 0, lingerMs: longMs });
  await untilRefused();
  for (const client of silent) ask(client, '/fast');
  await draining.over;
  await waitFor('the connections to close', () => silent.every((client) => client.isClosed));
  for (const { text } of silent) assert.match(text, /^HTTP\/1\.1 200 [\s\S]*connection: close/u);
});

test('connections that stay silent are closed after the delay, used before or not', async () => {
  const silent = [await used(), await open()];
  await run({ delayMs: 0, settleMs: 0, lingerMs: 50 }).over;
  await waitFor('the connections to close', () => silent.every((client) => client.isClosed));
});

test('until the other workers have stopped listening, connections stay open: a client that reconnects could reach them', async () => {
  const client = await used();
  const othersClosed = Promise.withResolvers<void>();
  const times = { delayMs: 0, settleMs: longMs, lingerMs: 0 };
  const draining = run({ ...times, othersClosed: async () => othersClosed.promise });
  await untilRefused();
  ask(client, '/fast');
  await waitFor('an answer', () => client.text.includes('fast') || client.isClosed);
  assert.doesNotMatch(client.text, /connection: close/u);
  assert.equal(client.isClosed, false);
  othersClosed.resolve();
  await draining.over;
});

test('during the delay requests are still accepted, while /readyz can be 503', async () => {
  const operator = new AbortController();
  const draining = run({ delayMs: longMs, settleMs: 0, lingerMs: 0 }, operator.signal);
  assert.ok(drain.draining);
  await used();
  assert.equal(draining.isOver, false);
  operator.abort();
  await draining.over;
});

test('with a successor readiness stays, and connections close with their next answer at once', async () => {
  const client = await used();
  const draining = run({ delayMs: longMs, settleMs: longMs, lingerMs: longMs, isReplaced: true });
  await untilRefused();
  assert.ok(drain.draining);
  assert.equal(drain.turnsAway, false);
  ask(client, '/fast');
  await draining.over;
  await waitFor('the connection to close', () => client.isClosed);
  assert.match(client.text, /connection: close/u);
});

test('an upgraded connection, which Node no longer tracks, is closed at the deadline', async () => {
  const client = await open();
  client.socket.write('GET /upgraded HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  await waitFor('the upgrade', () => client.text.includes('101'));
  assert.equal(connections.counts.upgraded, 1);
  const operator = new AbortController();
  const draining = run({ delayMs: 0, settleMs: 0, lingerMs: 0 }, operator.signal);
  await untilRefused();
  assert.equal(draining.isOver, false);
  operator.abort();
  await draining.over;
});

test('upgraded connections are told to close when the listeners are closed, and the drain ends with the last of them', async () => {
  const client = await open();
  client.socket.write('GET /upgraded HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  await waitFor('the upgrade', () => client.text.includes('101'));
  let isTold = false;
  const endUpgraded = (): void => void (isTold = true);
  const draining = run({ delayMs: 0, settleMs: 0, lingerMs: 0, endUpgraded });
  await untilRefused();
  await waitFor('the call', () => isTold);
  assert.equal(draining.isOver, false);
  upgraded?.destroy();
  await draining.over;
});

async function cutWhen(when: 'before' | 'during'): Promise<void> {
  const client = await open();
  ask(client, '/slow');
  await waitFor('the handler to run', () => isRunning);
  const operator = new AbortController();
  if (when === 'before') operator.abort();
  const draining = run({ delayMs: 0, settleMs: 0, lingerMs: longMs }, operator.signal);
  if (when === 'during') await untilRefused();
  operator.abort();
  await draining.over;
  await waitFor('the connection to close', () => client.isClosed);
  assert.equal(client.text, '');
}

for (const when of ['before', 'during'] as const) {
  test(`an abort ${when} the drain closes the remaining connections`, async () => cutWhen(when));
}
