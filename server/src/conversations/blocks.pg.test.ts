import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Block } from '@messenger/protocol/blocks';
import type { Conversation } from '@messenger/protocol/conversations';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';

const database = useDatabase();
const app = useApp(database);

let ada: Client;
let bob: Client;
let eve: Client;

test('people sign up', async () => {
  [ada, bob, eve] = [await signUp(app(), 'ada'), await signUp(app(), 'bob'), await signUp(app(), 'eve')];
});

const nobody = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';

test('a block is set, read, listed and ended by its owner', async () => {
  assert.equal(await ada.outcome('PUT', `/me/blocks/${bob.userId.toUpperCase()}`), '204');
  assert.equal(await ada.outcome('PUT', `/me/blocks/${bob.userId}`), '204');
  assert.equal(await ada.outcome('PUT', `/me/blocks/${eve.userId}`), '204');
  assert.equal(await ada.outcome('PUT', `/me/blocks/${ada.userId}`), '400 invalid_request');
  assert.equal(await ada.outcome('PUT', `/me/blocks/${nobody}`), '404 user_not_found');
  await database().replicated();
  const first = await ada.call('GET', '/me/blocks?limit=1');
  const next = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(first.headers.link))?.groups?.['next'] ?? '';
  const blocks = [...first.json<Block[]>(), ...(await ada.call('GET', next)).json<Block[]>()];
  assert.deepEqual(
    blocks.map(({ user_id: id, user }) => [id, user?.id]),
    [bob.userId, eve.userId].toSorted().map((id) => [id, id]),
  );
  assert.equal((await ada.call('GET', `/me/blocks/${bob.userId}`)).json<Block>().user?.first_name, 'First');
  assert.equal(await bob.outcome('GET', `/me/blocks/${ada.userId}`), '404 block_not_found');
  assert.deepEqual((await bob.call('GET', '/me/blocks')).json(), []);
  for (let times = 0; times < 2; times += 1)
    assert.equal(await ada.outcome('DELETE', `/me/blocks/${eve.userId}`), '204');
  await database().replicated();
  assert.equal(await ada.outcome('GET', `/me/blocks/${eve.userId}`), '404 block_not_found');
});

/** An answer without what differs between two requests. */
function alike(answer: Awaited<ReturnType<Client['call']>>): string {
  return `${outcomeOf(answer)} ${answer.body.replace(/"request_id":"[^"]*"/u, '')}`;
}

test('the blocked cannot tell a block from the end of the account', async () => {
  const [gone] = await database().sql<{ id: string }>(
    `insert into users (first_name, last_name) values ('Gone', 'Away') returning id`,
  );
  const answers = async (userId: string): Promise<string[]> => {
    const group = { kind: 'group', title: 'T', members: [userId] };
    const own = (await bob.call('POST', '/conversations', { kind: 'group', title: 'T' })).json<Conversation>().id;
    const added = await bob.call('POST', `/conversations/${own}/members`, { user_ids: [userId] });
    return [
      alike(await bob.call('PUT', `/conversations/direct/${userId}`)),
      alike(await bob.call('POST', '/conversations', group)),
      alike(added).replaceAll(userId, ''),
    ];
  };
  assert.deepEqual(await answers(ada.userId), await answers(gone?.id ?? ''));
  assert.match((await answers(ada.userId)).join('\n'), /^403 recipient_unavailable[^]*403 recipient_unavailable/u);
});

test('a block stops messages in an existing direct conversation, both ways', async () => {
  const { id } = (await bob.call('PUT', `/conversations/direct/${eve.userId}`)).json<Conversation>();
  const send = async (by: Client) => by.outcome('POST', `/conversations/${id}/messages`, { body: 'Hello' });
  assert.equal(await send(bob), '201');
  await eve.call('PUT', `/me/blocks/${bob.userId}`);
  assert.equal(await send(bob), '403 recipient_unavailable');
  assert.equal(await send(eve), '403 recipient_blocked');
  assert.equal(await bob.outcome('PUT', `/conversations/direct/${eve.userId}`), '200', 'the existing one is kept');
  await eve.call('DELETE', `/me/blocks/${bob.userId}`);
  assert.equal(await send(bob), '201');
});
