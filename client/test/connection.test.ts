import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';

import { WebSocket as WsSocket, WebSocketServer, type WebSocket as ServerSocket } from 'ws';

import { waitFor } from '../../server/test/wait-for.ts';
import { Messenger } from '../src/messenger.ts';
import type { SocketConstructor } from '../src/connection.ts';
import { positionOf } from './model-conversation.ts';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/api/v1/socket' });
const user = { id: 'u', first_name: 'Ada', last_name: 'L', created_at: '', updated_at: '' };
let sockets: ServerSocket[] = [];
let frames: unknown[] = [];
let clients: Messenger[] = [];
let answersPings = true;

before(async () => {
  if (server.address() === null) await once(server, 'listening');
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data: Buffer) => receive(socket, data.toString()));
  });
});
beforeEach(() => {
  for (const client of clients) client.stop();
  [sockets, frames, clients, answersPings] = [[], [], [], true];
});
after(() => {
  for (const client of clients) client.stop();
  for (const socket of server.clients) socket.terminate();
  server.close();
});

function receive(socket: ServerSocket, text: string): void {
  frames.push(JSON.parse(text));
  if (text.includes('"hello"')) {
    const heads = { heads: [], left: [], complete: true };
    const welcome = {
      op: 'welcome',
      user,
      position: positionOf(1, sockets.length),
      whole: true,
      ...heads,
      ping_ms: 200,
    };
    socket.send(JSON.stringify(welcome));
  } else if (text.includes('"ping"') && answersPings) socket.send('{"op":"pong"}');
}

function connect(options: { readonly token?: string; readonly WebSocket?: SocketConstructor } = {}): Messenger {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  const { port } = server.address() as AddressInfo;
  const client = new Messenger({ url: `http://127.0.0.1:${port}`, random: () => 0, ...options });
  clients.push(client);
  client.start();
  return client;
}

test('a client says who it is with its first frame, and connects again from the moment that it has', async () => {
  const client = connect({ token: 'abc' });
  await client.online();
  assert.equal(client.user?.first_name, 'Ada');
  assert.deepEqual([sockets[0]?.protocol, frames], ['messenger.v1', [{ op: 'hello', token: 'abc' }]]);
  sockets[0]?.terminate();
  await waitFor('the next connection', () => frames.length === 2);
  assert.deepEqual(frames[1], { op: 'hello', token: 'abc', since: positionOf(1, 1) });
});

test('a WebSocket of one’s own works where Node has none', async () => {
  await connect({ WebSocket: WsSocket }).online();
});

test('a server that sends a client away says when it may come back', async () => {
  const client = connect();
  await client.online();
  const startedAt = performance.now();
  sockets[0]?.send('{"op":"bye","code":4000,"after_ms":700}');
  sockets[0]?.close(4000);
  await waitFor('the next connection', () => sockets.length === 2);
  assert.ok(performance.now() - startedAt >= 690);
});

test('after the end of the session, and after a malformed frame, a client does not come back, and says so', async () => {
  for (const [place, code] of [4505, 1008].entries()) {
    const client = connect();
    await client.online();
    sockets[place]?.close(code);
    await waitFor('the end', () => client.connection === 'ended');
    assert.equal(client.endCode, code);
    await assert.rejects(client.online(), { code: 'stopped' });
  }
});

test('a server that is silent for twice the time of a ping is left; one that answers is not', async () => {
  const client = connect();
  await client.online();
  await waitFor('some pings', () => frames.length > 4);
  assert.equal(sockets.length, 1);
  answersPings = false;
  await waitFor('the next connection', () => sockets.length === 2);
  assert.equal(client.connection === 'online' || client.connection === 'connecting', true);
});

test('frames that a client does not know, and texts that are no frames, change nothing', async () => {
  const client = connect();
  await client.online();
  for (const text of ['{"op":"later"}', 'text', '[]', 'null', '{"op":"pong","more":1}', '1']) sockets[0]?.send(text);
  const count = frames.length;
  await waitFor('a ping', () => frames.length > count);
  assert.deepEqual([client.connection, sockets.length], ['online', 1]);
});
