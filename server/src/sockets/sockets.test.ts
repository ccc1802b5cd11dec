import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import { WebSocket } from 'ws';

import { codeOf, createTestServer, listen, sendRaw } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { createSessionCookies } from '../http/session-cookie.ts';
import type { HttpServer } from '../http/server.ts';
import { Frame } from './frame.ts';
import type { Socket } from './socket.ts';
import { socketRoute } from './socket-route.ts';
import { Sockets } from './sockets.ts';

let app: HttpServer;
let port = 0;
let sockets: Sockets;
let opened: Socket[] = [];
let frames: object[] = [];
let closed = 0;

beforeEach(async () => {
  [opened, frames, closed] = [[], [], 0];
  app = await createTestServer();
  sockets = new Sockets({ perAccount: 2, perAddress: 0, random: Math.random });
  socketRoute(app, {
    sockets,
    cookies: createSessionCookies({ isSecure: false, maxAgeDays: 1 }),
    open: (socket) => {
      opened.push(socket);
      return { onFrame: (frame) => frames.push(frame), onDrained: () => undefined, onClose: () => (closed += 1) };
    },
  });
  port = await listen(app);
});
afterEach(async () => {
  await sockets.drain();
  app.server.closeAllConnections();
  await app.close();
});

async function connect(headers: Readonly<Record<string, string>> = {}): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, subprotocol, { headers });
  await once(client, 'open');
  return client;
}

test('frames go both ways', async () => {
  const client = await connect();
  let received = '';
  client.on('message', (data) => {
    assert(Buffer.isBuffer(data));
    received = data.toString();
  });
  client.send('{"op":"hello"}');
  await waitFor('the frame', () => frames.length === 1);
  assert.deepEqual(frames, [{ op: 'hello' }]);
  assert.equal(opened[0]?.send(new Frame({ op: 'welcome', text: 'é' }), 'answer'), 'sent');
  await waitFor('the answer', () => received !== '');
  assert.deepEqual(JSON.parse(received), { op: 'welcome', text: 'é' });
  client.close();
  await waitFor('the end', () => closed === 1);
  assert.equal(opened[0].send(new Frame({}), 'answer'), 'closed');
  assert.equal(sockets.size, 0);
});

test('a request without an upgrade is told how to upgrade', async () => {
  const answer = await sendRaw(port, `GET ${socketPath} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  assert.equal(codeOf(answer), 'upgrade_required');
  assert.match(answer.head, /^upgrade: websocket\r$/imu);
});

test('a browser upgrades with a cookie only from a page of this server', async () => {
  const cookie = `messenger=${'a'.repeat(43)}`;
  const client = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, subprotocol, {
    headers: { cookie, origin: 'https://other.example' },
  });
  let status: number | undefined;
  client.on('unexpected-response', (_request, { statusCode }) => (status = statusCode));
  await waitFor('the refusal', () => status !== undefined);
  assert.equal(status, 403);
  await connect({ cookie, origin: `http://127.0.0.1:${port}` });
  assert.equal(opened.at(-1)?.sessionToken, 'a'.repeat(43));
});
