import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { closeCodes, socketPath, subprotocol } from '@messenger/protocol/close-codes';

import { codeOf, sendRaw } from '../../test/http-server.ts';
import { SocketServer } from '../../test/sockets.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Frame } from './frame.ts';

let server: SocketServer;

afterEach(async () => server.stop());

test('frames go both ways, and the owner learns of the end', async () => {
  server = await SocketServer.start();
  const client = await server.connect();
  client.send({ op: 'hello' });
  await waitFor('the frame', () => server.newest.frames.length === 1);
  assert.deepEqual(server.newest.frames, [{ op: 'hello' }]);
  const { socket } = server.newest;
  assert.equal(socket.send(new Frame({ op: 'welcome', text: 'é' }), 'answer'), 'sent');
  await waitFor('the answer', () => client.frames.length === 1);
  assert.deepEqual(client.frames, [{ op: 'welcome', text: 'é' }]);
  client.wire.close();
  await waitFor('the end', () => server.newest.closed === 1);
  assert.equal(socket.send(new Frame({}), 'answer'), 'closed');
  assert.equal(server.sockets.figures.open, 0);
  assert.equal(server.sockets.figures.endedBy('client'), 1);
});

test('a lost connection ends its socket', async () => {
  server = await SocketServer.start();
  const client = await server.connect();
  client.wire.terminate();
  await waitFor('the end', () => server.newest.closed === 1);
  assert.equal(server.sockets.figures.endedBy('lost'), 1);
});

async function arrives(text: string): Promise<void> {
  server = await SocketServer.start();
  const client = await server.connect();
  server.newest.socket.send(new Frame({ text }), 'durable');
  await waitFor('the frame', () => client.frames.length === 1);
  assert.deepEqual(client.frames, [{ text }]);
}

for (const bytes of [11, 125, 126, 65_535, 65_536, 300_000])
  test(`a frame with a text of ${bytes} bytes arrives`, async () => arrives('x'.repeat(bytes - '{"text":""}'.length)));

test('the frames of a turn arrive in order, before those of the next', async () => {
  server = await SocketServer.start();
  const client = await server.connect();
  const numbers = Array.from({ length: 100 }, (_none, n) => n);
  server.onFrame = (_frame, socket) => {
    for (const n of numbers) socket.send(new Frame({ n }), n % 2 === 0 ? 'durable' : 'answer');
    setImmediate(() => socket.send(new Frame({ n: 100 }), 'durable'));
  };
  client.send({ op: 'go' });
  await waitFor('all', () => client.frames.length === 101);
  assert.deepEqual(
    client.frames,
    [...numbers, 100].map((n) => ({ n })),
  );
});

test('a defect of the owner ends one socket, and no other', async () => {
  server = await SocketServer.start();
  const [failing, other] = [await server.connect(), await server.connect()];
  server.onFrame = () => {
    throw new Error('a defect');
  };
  failing.send({ op: 'go' });
  assert.equal(await failing.closed(), closeCodes.unavailable.code);
  assert.equal(other.wire.readyState, other.wire.OPEN);
  assert.match(String(server.defects.splice(0)), /a defect/u);
});

describe('the end of a socket', () => {
  test('says when to come back, in the last frame and in the reason, at a different time for each', async () => {
    server = await SocketServer.start();
    const clients = [await server.connect(), await server.connect(), await server.connect()];
    for (const { socket } of server.owned) socket.end('draining');
    const times = new Set<number>();
    for (const client of clients) {
      assert.equal(await client.closed(), 4_000);
      const reason: unknown = JSON.parse(client.closeReason);
      assert(typeof reason === 'object' && reason !== null && 'after_ms' in reason);
      assert.deepEqual(client.frames, [{ op: 'bye', code: 4_000, after_ms: reason.after_ms }]);
      times.add(Number(reason.after_ms));
    }
    assert.equal(times.size, 3);
  });

  test('has no time after a code that means not to come back', async () => {
    server = await SocketServer.start();
    const client = await server.connect();
    server.newest.socket.end('unauthenticated');
    assert.equal(await client.closed(), 4_505);
    assert.deepEqual(client.frames, [{ op: 'bye', code: 4_505 }]);
    assert.equal(client.closeReason, '{"reason":"unauthenticated"}');
  });

  test('comes behind the frames before it, and nothing of the client counts afterwards', async () => {
    server = await SocketServer.start();
    const client = await server.connect();
    const { socket } = server.newest;
    server.onFrame = () => {
      socket.send(new Frame({ n: 1 }), 'durable');
      socket.end('moved', 5);
      assert.equal(socket.send(new Frame({ n: 2 }), 'durable'), 'closed');
      socket.end('draining');
    };
    client.send({});
    client.send({});
    assert.equal(await client.closed(), 4_001);
    assert.deepEqual(client.frames, [{ n: 1 }, { op: 'bye', code: 4_001, after_ms: 5 }]);
    assert.equal(server.newest.frames.length, 1);
    assert.equal(server.sockets.figures.endedBy('moved'), 1);
  });

  test('does not depend on a client that does not answer the close frame', { timeout: 20_000 }, async () => {
    server = await SocketServer.start();
    const client = await server.connectRaw();
    server.newest.socket.end('moved');
    await waitFor('the end of the connection', () => client.connection.destroyed);
    assert.equal(await client.closed(), 4_001);
    assert.equal(server.newest.closed, 1);
  });
});

describe('an upgrade is refused', () => {
  const lines = (...others: readonly string[]): string =>
    [`GET ${socketPath} HTTP/1.1`, 'Host: a', ...others, '', ''].join('\r\n');
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  const protocol = `Sec-WebSocket-Protocol: ${subprotocol}`;
  const version = 'Sec-WebSocket-Version: 13';
  const cases: readonly (readonly [what: string, request: string, code: string])[] = [
    ['of a plain request', lines('Connection: close'), 'upgrade_required'],
    ['to another protocol', lines('Connection: Upgrade, close', 'Upgrade: h2c', version), 'upgrade_required'],
    [
      'without the option in Connection',
      lines('Connection: close', 'Upgrade: websocket', version, key),
      'upgrade_required',
    ],
    ['with another version', lines(...upgrade, 'Sec-WebSocket-Version: 8', key, protocol), 'upgrade_required'],
    ['without a key', lines(...upgrade, version, protocol), 'invalid_request'],
    ['with a short key', lines(...upgrade, version, protocol, 'Sec-WebSocket-Key: AAAA'), 'invalid_request'],
    ['without a subprotocol', lines(...upgrade, version, key), 'invalid_request'],
    [
      'with another subprotocol',
      lines(...upgrade, version, key, 'Sec-WebSocket-Protocol: messenger.v10'),
      'invalid_request',
    ],
    ['with two hosts', lines('Host: b', ...upgrade, version, key, protocol), 'malformed_request'],
    [
      'with a consistency token that is none',
      lines(...upgrade, version, key, protocol, 'Consistency-Token: x'),
      'invalid_request',
    ],
  ];
  const refuses = async (request: string, code: string): Promise<void> => {
    server = await SocketServer.start();
    const answer = await sendRaw(server.port, request);
    assert.equal(codeOf(answer), code);
    assert.match(answer.head, /^request-id: /imu);
    if (code === 'upgrade_required') assert.match(answer.head, /^sec-websocket-version: 13\r?$/imu);
    assert.equal(server.owned.length, 0);
  };
  for (const [what, request, code] of cases) test(`${what}, with a problem`, async () => refuses(request, code));

  test('behind a request that is not answered yet, by the end of the connection', async () => {
    server = await SocketServer.start();
    const answer = await sendRaw(
      server.port,
      lines().replace(socketPath, '/none'),
      lines(...upgrade, version, key, protocol),
    );
    assert.doesNotMatch(answer.text, /HTTP\/1\.1 101/u);
    assert.equal(server.owned.length, 0);
  });

  test('from a page of another site, if the browser sends a cookie', async () => {
    server = await SocketServer.start();
    const cookie = `messenger=${'a'.repeat(43)}`;
    assert.equal(await server.refusal({ cookie, origin: 'https://other.example' }), 403);
    assert.equal(await server.refusal({ cookie, origin: 'null' }), 403);
    assert.equal(await server.refusal({ cookie, 'sec-fetch-site': 'same-site' }), 403);
    await server.connect({ cookie, origin: `http://127.0.0.1:${server.port}` });
    assert.equal(server.newest.socket.sessionToken, 'a'.repeat(43));
    await server.connect({ origin: 'https://other.example' });
    assert.equal(server.newest.socket.sessionToken, undefined);
  });

  test('to an address that has its sockets, until it closes one', async () => {
    server = await SocketServer.start({ perAddress: 2, http: { trustedProxies: ['127.0.0.1'] } });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const first = await server.connect(from('192.0.2.1'));
    assert.equal(server.newest.socket.address, '192.0.2.1');
    await server.connect(from('192.0.2.1'));
    assert.equal(await server.refusal(from('192.0.2.1')), 429);
    await server.connect(from('192.0.2.2'));
    for (let n = 0; n < 4; n += 1) await server.connect(); // Of this machine.
    first.wire.close();
    await waitFor('the end', () => server.owned[0]?.closed === 1);
    await server.connect(from('192.0.2.1'));
    assert.equal(await server.refusal(from('192.0.2.1')), 429);
  });
});

test('an account has a number of sockets, and the longest silent one makes room', async () => {
  let now = 0;
  server = await SocketServer.start({ perAccount: 2, clock: { now: () => now } });
  const open = async (user: string) => {
    const client = await server.connect();
    server.newest.socket.belongsTo(user);
    now += 1_000;
    return client;
  };
  const [first, second, other] = [await open('ada'), await open('ada'), await open('eve')];
  const third = await open('ada');
  assert.equal(await first.closed(), closeCodes.too_many_sockets.code);
  for (const { wire } of [second, third, other]) assert.equal(wire.readyState, wire.OPEN);
  second.wire.close();
  await waitFor('the end', () => server.owned[1]?.closed === 1);
  await open('ada');
  assert.equal(third.wire.readyState, third.wire.OPEN);
});

test('a draining server sends its sockets away one after the other, and opens no more', async () => {
  server = await SocketServer.start();
  const clients = await Promise.all(Array.from({ length: 60 }, async () => server.connect()));
  server.sockets.drain();
  const left = server.sockets.figures.open;
  assert(left > 0 && left < 60, `${left} are left after the first moment`);
  assert.equal(await server.refusal({}), 503);
  for (const client of clients) assert.equal(await client.closed(), closeCodes.draining.code);
  assert.equal(server.sockets.figures.endedBy('draining'), 60);
});

test('some sockets can be moved', async () => {
  server = await SocketServer.start();
  const clients = await Promise.all(Array.from({ length: 5 }, async () => server.connect()));
  server.sockets.move(2);
  await waitFor('two ends', () => clients.filter(({ closeCode }) => closeCode === 4_001).length === 2);
  assert.equal(server.sockets.figures.open, 3);
});
