import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { closeCodes } from '@messenger/protocol/close-codes';

import { signInAt, signUpAt } from './sign-up-at.ts';
import { SocketClient } from './socket-client.ts';
import { feedOf, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
/** Started by the first test. */
let server: Run;

const portOf = ({ url }: Run): number => Number(new URL(url).port);

test('two people on two workers talk, also after the feed and a worker were killed', async () => {
  // The second worker accepts sockets when the first has used half of its connections.
  const args = ['--workers', '2', '--max-connections', '16', '--realtime', 'on', '--rate-limit-writes', '0'];
  server = await servers.start(await servers.data(), { args });
  const [ada, bob] = [await signUpAt(server, 'ada'), await signUpAt(server, 'bob')];
  const { id } = await ada.call<{ id: string }>('POST', '/conversations', {
    kind: 'group',
    title: 'Engine',
    members: [bob.id],
  });
  const from = await SocketClient.hello(portOf(server), ada.token);
  const readers: SocketClient[] = [];
  const join = async (): Promise<void> => {
    const reader = await SocketClient.hello(portOf(server), bob.token);
    assert.equal(await reader.open(id), 'done');
    readers.push(reader);
  };
  for (let count = 0; count < 9; count += 1) await join();
  await waitFor('the second worker', async () => {
    const answer = await fetch(`${server.url}/metrics`, { headers: { connection: 'close' } });
    return /^messenger_workers_accepting 2$/mu.test(await answer.text());
  });
  for (let count = 0; count < 8; count += 1) await join();
  const say = async (body: string): Promise<void> => {
    const answer = await from.ask({ op: 'send', conversation_id: id, id: randomUUID(), body });
    assert.equal(answer.op, 'done', JSON.stringify(answer));
  };
  /** The sockets of a killed worker close one after the other. */
  const stillOpen = (): SocketClient[] => readers.filter(({ closeCode }) => closeCode === undefined);
  const heardByAll = async (...bodies: string[]): Promise<void> => {
    await waitFor(`everybody to hear ${bodies.join()}`, () =>
      stillOpen().every((one) => one.bodies(id).length === bodies.length),
    );
    for (const one of stillOpen()) assert.deepEqual([one.bodies(id), one.faults], [bodies, []]);
  };
  await say('one');
  await heardByAll('one');
  process.kill(feedOf(server.pid) ?? assert.fail('there is a feed'), 'SIGKILL');
  await say('two');
  await heardByAll('one', 'two');
  const [worker = assert.fail()] = workersOf(server.pid);
  process.kill(worker, 'SIGKILL');
  await waitFor('the end of its sockets', () => [from, ...readers].some(({ closeCode }) => closeCode !== undefined));
  const { token } = ada;
  const again = await SocketClient.hello(portOf(server), token, from.position);
  const answer = await again.ask({ op: 'send', conversation_id: id, id: randomUUID(), body: 'three' });
  assert.equal(answer.op, 'done');
  await heardByAll('one', 'two', 'three');
  assert.notEqual(stillOpen().length, 0);
});

test('an ended session is told nothing after the answer, on any worker', async () => {
  const [ada, bob] = [await signInAt(server, 'ada'), await signInAt(server, 'bob')];
  const { id } = await ada.call<{ id: string }>('POST', '/conversations', {
    kind: 'group',
    title: 'Engine',
    members: [bob.id],
  });
  const sockets: SocketClient[] = [];
  for (let count = 0; count < 6; count += 1) {
    const socket = await SocketClient.hello(portOf(server), bob.token);
    assert.equal(await socket.open(id), 'done');
    sockets.push(socket);
  }
  const other = await signInAt(server, 'bob');
  await other.call('DELETE', '/sessions');
  await ada.call('POST', `/conversations/${id}/messages`, { body: 'secret' });
  await waitFor('the ends', () => sockets.every(({ closeCode }) => closeCode === 4505));
  for (const socket of sockets) assert.deepEqual(socket.bodies(id), []);
});

test('a server that stops says so to its sockets', async () => {
  const { token } = await signUpAt(server, 'eve');
  const sockets = await Promise.all([1, 2, 3, 4].map(async () => SocketClient.hello(portOf(server), token)));
  server.kill('SIGTERM');
  await waitFor('the farewell', () => sockets.every(({ closeCode }) => closeCode !== undefined));
  for (const { closeCode, frames } of sockets) {
    assert.equal(closeCode, closeCodes.draining.code);
    assert.equal(frames.at(-1)?.op, 'bye');
  }
  assert.equal(await server.ended(), 0);
});
