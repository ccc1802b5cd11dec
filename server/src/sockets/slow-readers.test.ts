import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { closeCodes } from '@messenger/protocol/close-codes';

import { maskedFrame, SocketServer, type Owned } from '../../test/sockets.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Frame } from './frame.ts';
import { socketLimits } from './socket-limits.ts';

let server: SocketServer;
afterEach(async () => server.stop());

const text = 'x'.repeat(10_000);
const frameOf = (n: number): Frame => new Frame({ n, text });
const frameBytes = frameOf(0).bytes.length;

/** Sends numbered frames until one is refused, turn by turn. Resolves with the number of the refused one. */
async function sendUntilBehind({ socket }: Owned, first: number): Promise<number> {
  for (let n = first; ; n += 1) {
    if (n % 10 === 0) await nextTurn();
    const outcome = socket.send(frameOf(n), 'durable');
    if (outcome === 'behind') return n;
    assert.equal(outcome, 'sent');
    assert(n < first + 10_000, 'no frame is ever refused');
  }
}

test('a client that does not read costs bounded memory, delays no other, and is told about when it reads again', async () => {
  server = await SocketServer.start();
  const [slow, slowOwned] = [await server.connectRaw(), server.newest];
  const [other, otherOwned] = [await server.connect(), server.newest];
  slow.connection.pause();
  const refused = await sendUntilBehind(slowOwned, 0);
  const { socket } = slowOwned;
  for (let n = 0; n < 1_000; n += 1) {
    assert.equal(socket.send(frameOf(n), 'durable'), 'behind');
    assert.equal(socket.send(frameOf(n), 'ephemeral'), 'behind');
  }
  assert(socket.unsentBytes <= socketLimits.behindBytes + frameBytes, `${socket.unsentBytes} bytes are unsent`);
  assert.equal(server.sockets.figures.behind, 1);
  assert.equal(server.sockets.figures.fellBehind, 1);
  otherOwned.socket.send(new Frame({ n: 1 }), 'durable');
  await waitFor('the frame of the other', () => other.frames.length === 1);
  assert.equal(slowOwned.drained, 0);

  slow.connection.resume();
  await waitFor('the drain', () => slowOwned.drained === 1);
  assert.equal(server.sockets.figures.behind, 0);
  assert.equal(socket.unsentBytes, 0);
  for (let n = refused; n < refused + 5; n += 1) assert.equal(socket.send(frameOf(n), 'durable'), 'sent');
  await waitFor('all frames', () => slow.frames.length === refused + 5);
  const numbers = slow.frames.map(({ payload }) =>
    Number(/^\{"n":(?<n>\d+),/u.exec(payload.toString())?.groups?.['n']),
  );
  assert.deepEqual(
    numbers,
    Array.from({ length: refused + 5 }, (_none, n) => n),
  );
});

test('a client that reads a byte at a time stays within the same bound', async () => {
  server = await SocketServer.start();
  const [slow, owned] = [await server.connectRaw(), server.newest];
  slow.connection.pause();
  let next = await sendUntilBehind(owned, 0);
  for (let read = 0; read < 200; read += 1) {
    slow.connection.read(1);
    if (owned.socket.send(frameOf(next), 'durable') === 'sent') next += 1;
    assert(owned.socket.unsentBytes <= socketLimits.behindBytes + frameBytes);
    await nextTurn();
  }
});

test('answers are still taken from a client that is behind, up to 1 MiB; then its socket ends', async () => {
  server = await SocketServer.start();
  const [slow, owned] = [await server.connectRaw(), server.newest];
  slow.connection.pause();
  await sendUntilBehind(owned, 0);
  let answers = 0;
  while (owned.socket.send(frameOf(answers), 'answer') === 'sent') answers += 1;
  assert(
    answers * frameBytes >= socketLimits.answersBytes - socketLimits.behindBytes - frameBytes * 2,
    `${answers} answers`,
  );
  assert(owned.socket.unsentBytes <= socketLimits.answersBytes + frameBytes * 2);
  assert.equal(server.sockets.figures.endedBy('slow_reader'), 1);
  await waitFor('the end', () => owned.closed === 1);
});

test('a client that sends pings and does not read the answers costs bounded memory', async () => {
  server = await SocketServer.start();
  const [slow, owned] = [await server.connectRaw(), server.newest];
  slow.connection.pause();
  await sendUntilBehind(owned, 0);
  const before = owned.socket.unsentBytes;
  const ping = maskedFrame('x'.repeat(125), { opcode: 9 });
  slow.connection.write(Buffer.concat(Array.from({ length: 1_500 }, () => ping)));
  await waitFor('the pings', () => server.sockets.figures.framesIn >= 1_500);
  assert(owned.socket.unsentBytes <= before + 127);
});

test('a burst within one turn of the event loop is bounded, too, and drains', async () => {
  server = await SocketServer.start();
  const [client, owned] = [await server.connect(), server.newest];
  let sent = 0;
  while (owned.socket.send(frameOf(sent), 'durable') === 'sent') sent += 1;
  assert(owned.socket.unsentBytes <= socketLimits.behindBytes + frameBytes);
  await waitFor('the drain', () => owned.drained === 1);
  await waitFor('all frames', () => client.frames.length === sent);
});

test('a client that floods is asked to slow down, then closed, and its other frames were handled', async () => {
  let now = 0;
  server = await SocketServer.start({ clock: { now: () => now } });
  const client = await server.connect();
  const send = (count: number): void => {
    for (let n = 0; n < count; n += 1) client.send({ n });
  };
  send(1_900);
  await waitFor('the frames', () => server.newest.frames.length === 1_900);
  assert.deepEqual(client.frames, []);
  send(300);
  await waitFor('the request', () => client.frames.length === 1);
  assert.match(JSON.stringify(client.frames[0]), /^\{"op":"slow_down","after_ms":\d{3,4}\}$/u);
  await waitFor('the frames', () => server.newest.frames.length === 2_200);
  now += 2_000; // It waits.
  send(1_500);
  await waitFor('the frames', () => server.newest.frames.length === 3_700);
  assert.equal(client.frames.length, 1);
  send(3_000);
  assert.equal(await client.closed(), closeCodes.too_many_frames.code);
  const afterMs = Number(/after_ms":(?<ms>\d+)/u.exec(client.closeReason)?.groups?.['ms']);
  assert(afterMs >= socketLimits.floodMs);
  assert(server.newest.frames.length < 6_700);
});

test('large frames count more', async () => {
  server = await SocketServer.start({ clock: { now: () => 0 } });
  const client = await server.connect();
  const large = { text: 'x'.repeat(60_000) };
  for (let n = 0; n < 100; n += 1) client.send(large);
  assert.equal(await client.closed(), closeCodes.too_many_frames.code);
  assert(server.newest.frames.length < 70);
});
