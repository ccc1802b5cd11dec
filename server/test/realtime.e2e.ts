import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { password } from './clients.ts';
import { SocketClient } from './socket-client.ts';
import { feedOf, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();

interface Person {
  readonly token: string;
  readonly id: string;
}

async function request<Answer>(
  { url }: Run,
  method: string,
  path: string,
  body: object | undefined,
  token?: string,
): Promise<Answer> {
  const headers = {
    connection: 'close',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of our server.
  return (answer.status === 204 ? undefined : await answer.json()) as Answer;
}

async function signUp(server: Run, username: string): Promise<Person> {
  const body = { username, password, first_name: 'First', last_name: 'Last' };
  const { token, user } = await request<{ token: string; user: { id: string } }>(server, 'POST', '/accounts', body);
  return { token, id: user.id };
}

const portOf = ({ url }: Run): number => Number(new URL(url).port);

test('two people on two workers talk, also after the feed and a worker were killed', async () => {
  const args = ['--workers', '2', '--realtime', 'on', '--rate-limit-writes', '0'];
  const server = await servers.start(await servers.data(), { args });
  const [ada, bob] = [await signUp(server, 'ada'), await signUp(server, 'bob')];
  const { id } = await request<{ id: string }>(
    server,
    'POST',
    '/conversations',
    { kind: 'group', title: 'Engine', members: [bob.id] },
    ada.token,
  );
  const from = await SocketClient.hello(portOf(server), ada.token);
  const readers: SocketClient[] = [];
  for (let count = 0; count < 8; count += 1) {
    const reader = await SocketClient.hello(portOf(server), bob.token);
    assert.equal(await reader.open(id), 'done');
    readers.push(reader);
  }
  const say = async (body: string): Promise<void> => {
    const answer = await from.ask({ op: 'send', conversation_id: id, id: randomUUID(), body });
    assert.equal(answer.op, 'done', JSON.stringify(answer));
  };
  const heardBy = async (some: readonly SocketClient[], ...bodies: string[]): Promise<void> => {
    await waitFor(`everybody to hear ${bodies.join()}`, () =>
      some.every((one) => one.bodies(id).length === bodies.length),
    );
    for (const one of some) assert.deepEqual([one.bodies(id), one.faults], [bodies, []]);
  };
  await say('one');
  await heardBy(readers, 'one');
  process.kill(feedOf(server.pid) ?? assert.fail('there is a feed'), 'SIGKILL');
  await say('two');
  await heardBy(readers, 'one', 'two');
  const [worker = assert.fail()] = workersOf(server.pid);
  process.kill(worker, 'SIGKILL');
  await waitFor('the end of its sockets', () => [from, ...readers].some(({ closeCode }) => closeCode !== undefined));
  const left = readers.filter(({ closeCode }) => closeCode === undefined);
  const { token } = ada;
  const again = await SocketClient.hello(portOf(server), token, from.position);
  const answer = await again.ask({ op: 'send', conversation_id: id, id: randomUUID(), body: 'three' });
  assert.equal(answer.op, 'done');
  await heardBy(left, 'one', 'two', 'three');
  await Promise.all([...left, again].map(async (one) => one.close()));
});

test('an ended session is told nothing after the answer, on any worker', async () => {
  const args = ['--workers', '2', '--realtime', 'on'];
  const server = await servers.start(await servers.data(), { args });
  const [ada, bob] = [await signUp(server, 'ada'), await signUp(server, 'bob')];
  const { id } = await request<{ id: string }>(
    server,
    'POST',
    '/conversations',
    { kind: 'group', title: 'Engine', members: [bob.id] },
    ada.token,
  );
  const sockets: SocketClient[] = [];
  for (let count = 0; count < 6; count += 1) {
    const socket = await SocketClient.hello(portOf(server), bob.token);
    assert.equal(await socket.open(id), 'done');
    sockets.push(socket);
  }
  const { token } = await request<Person>(server, 'POST', '/sessions', { username: 'bob', password });
  await request(server, 'DELETE', '/sessions', undefined, token);
  await request(server, 'POST', `/conversations/${id}/messages`, { body: 'secret' }, ada.token);
  await waitFor('the ends', () => sockets.every(({ closeCode }) => closeCode === 4505));
  for (const socket of sockets) assert.deepEqual(socket.bodies(id), []);
});
