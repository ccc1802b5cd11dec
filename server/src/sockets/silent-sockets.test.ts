import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { closeCodes } from '@messenger/protocol/close-codes';

import { maskedFrame, SocketServer } from '../../test/sockets.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Frame } from './frame.ts';

let server: SocketServer;
let now = 0;

beforeEach(async () => {
  now = 0;
  mock.timers.enable({ apis: ['setInterval'] });
  server = await SocketServer.start({ clock: { now: () => now } });
});
afterEach(async () => {
  mock.timers.reset();
  await server.stop();
});

async function receives(frames: number): Promise<void> {
  await waitFor('the frames', () => server.newest.frames.length === frames);
}

/** Moves the clock by seconds, and lets the timer of the sockets run in each. */
async function pass(seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n += 1) {
    now += 1_000;
    mock.timers.tick(1_000);
    await nextTurn();
  }
}

test('a socket whose client sends nothing at first ends after ten seconds', async () => {
  const [silent, speaking] = [await server.connect(), await server.connect()];
  speaking.send({ op: 'hello' });
  await receives(1);
  await pass(9);
  assert.equal(server.sockets.figures.open, 2);
  await pass(6);
  assert.equal(await silent.closed(), closeCodes.first_frame_late.code);
  assert.equal(server.sockets.figures.open, 1);
});

test('a client that answers pings stays for hours; one that does not is pinged, and gone after a minute', async () => {
  const answering = await server.connect();
  let pings = 0;
  answering.wire.on('ping', () => (pings += 1));
  const dead = await server.connectRaw();
  answering.send({ op: 'hello' });
  dead.connection.write(maskedFrame('{"op":"hello"}'));
  await waitFor('the frames', () => server.owned.every(({ frames }) => frames.length === 1));
  const isPinged = async (times: number): Promise<void> => waitFor('a ping', () => pings >= times);
  for (let times = 1; times <= 4; times += 1) {
    await pass(30);
    await isPinged(times);
    await pass(1);
  }
  assert.equal(await dead.closed(), closeCodes.silent.code);
  assert.deepEqual(dead.frames.filter(({ opcode }) => opcode === 9).length, 2);
  assert.equal(answering.wire.readyState, answering.wire.OPEN);
});

test('a client that sends is not pinged', async () => {
  const client = await server.connect();
  let pings = 0;
  client.wire.on('ping', () => (pings += 1));
  for (let n = 1; n <= 10; n += 1) {
    client.send({ n });
    await receives(n);
    await pass(10);
  }
  assert.equal(pings, 0);
});

test('a client that still reads what it was sent is not silent', async () => {
  const [slow, owned] = [await server.connectRaw(), server.newest];
  slow.connection.write(maskedFrame('{"op":"hello"}'));
  await receives(1);
  slow.connection.pause();
  const frame = new Frame({ text: 'x'.repeat(10_000) });
  for (let n = 0; n < 4; n += 1) {
    while (owned.socket.send(frame, 'durable') === 'sent') await nextTurn();
    await pass(6);
    const before = owned.socket.unsentBytes;
    while (owned.socket.unsentBytes >= before) {
      slow.connection.read();
      await nextTurn();
    }
    await pass(24);
  }
  assert.equal(owned.closed, 0);
  assert.equal(server.sockets.figures.open, 1);
});
