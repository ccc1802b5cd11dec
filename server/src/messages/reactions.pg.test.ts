/** Reactions to messages. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import type { Message } from '@messenger/protocol/messages';
import type { GivenReaction } from '@messenger/protocol/reactions';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on', RATE_LIMIT_WRITES: '0' } });
let ada: Client;
let bob: Client;
let eve: Client;

const group = async (): Promise<string> =>
  insertConversation(database(), 'group', [
    [ada, 'owner'],
    [bob, 'member'],
  ]);

async function read<T>(client: Client, path: string): Promise<T> {
  await database().replicated();
  const answer = await client.call('GET', path);
  assert.equal(outcomeOf(answer), '200', answer.body);
  return answer.json<T>();
}

describe('a message that is reacted to', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  const like = encodeURIComponent('👍');

  test('counts people by emoji, and repeats change nothing', async () => {
    const where = await group();
    await sendMessage(ada, where, 'x');
    const path = `/conversations/${where}/messages/1`;
    for (const [client, emoji] of [
      [ada, '👍'],
      [bob, '👍'],
      [bob, '👍'],
      [bob, '❤'],
      [bob, '❤️'],
    ] as const)
      assert.equal(await client.outcome('PUT', `${path}/reactions/${encodeURIComponent(emoji)}`), '204');
    const { reactions = [], seq } = await read<Message>(ada, path);
    assert.equal(seq, 4);
    assert.deepEqual(
      reactions.toSorted((a, b) => b.count - a.count),
      [
        { emoji: '👍', count: 2, user_ids: [ada.userId, bob.userId].toSorted() },
        { emoji: '❤️', count: 1, user_ids: [bob.userId] },
      ],
    );
    const given = await read<GivenReaction[]>(ada, `${path}/reactions`);
    assert.deepEqual(
      given.map(({ emoji, user }) => [emoji, user?.id]),
      [['❤️', bob.userId], ...[ada.userId, bob.userId].toSorted().map((id) => ['👍', id])],
    );
    const first = await ada.call('GET', `${path}/reactions?limit=2`);
    const next = /<\/api\/v1(.*)>; rel="next"/u.exec(String(first.headers.link))?.[1] ?? assert.fail();
    assert.deepEqual(await read(ada, next), given.slice(2));
    assert.deepEqual(await read(ada, `${path}/reactions?emoji=${like}`), given.slice(1));
    assert.equal(await bob.outcome('DELETE', `${path}/reactions/${like}`), '204');
    assert.equal(await bob.outcome('DELETE', `${path}/reactions/${like}`), '204');
    assert.equal(await bob.outcome('DELETE', `${path}/reactions/${encodeURIComponent('❤')}`), '204');
    const later = await read<Message>(ada, path);
    assert.deepEqual([later.seq, later.reactions], [6, [{ emoji: '👍', count: 1, user_ids: [ada.userId] }]]);
    assert.equal(await ada.outcome('DELETE', `${path}/reactions/${like}`), '204');
    assert.equal((await read<Message>(ada, path)).reactions, undefined);
  });

  test('has at most 50 kinds, also when they come at once', async () => {
    const where = await group();
    await sendMessage(ada, where, 'x');
    const path = `/conversations/${where}/messages/1`;
    const kinds = Array.from({ length: 60 }, (_, n) => String.fromCodePoint(0x1f4_00 + n));
    const outcomes = await Promise.all(
      kinds.map(async (emoji, n) =>
        (n % 2 === 0 ? ada : bob).outcome('PUT', `${path}/reactions/${encodeURIComponent(emoji)}`),
      ),
    );
    assert.deepEqual(outcomes.toSorted(), [
      ...Array.from({ length: 50 }, () => '204'),
      ...Array.from({ length: 10 }, () => '409 too_many_reactions'),
    ]);
    const { reactions = [], seq } = await read<Message>(ada, path);
    assert.deepEqual([reactions.length, seq], [50, 51]);
    const [known] = reactions;
    const both = await Promise.all(
      [ada, bob].map(async (one) => one.outcome('PUT', `${path}/reactions/${encodeURIComponent(known?.emoji ?? '')}`)),
    );
    assert.deepEqual(both, ['204', '204'], 'a kind that is there has no limit');
  });

  test('by many people at once shows ten of them and counts all', async () => {
    const people = Array.from({ length: 25 }, () => ({ userId: randomUUID() }));
    const where = await insertConversation(database(), 'group', [
      [ada, 'owner'],
      [bob, 'member'],
    ]);
    await sendMessage(ada, where, 'x');
    const path = `/conversations/${where}/messages/1`;
    await database().sql(
      `insert into reactions (conversation_id, number, emoji, user_id) select $1, 1, '👍', unnest($2::uuid[])`,
      [where, people.map(({ userId }) => userId)],
    );
    const ten = people
      .map(({ userId }) => userId)
      .toSorted()
      .slice(0, 10);
    await database().sql('update messages set reactions = $2 where conversation_id = $1', [
      where,
      { '👍': { count: 25, user_ids: ten } },
    ]);
    await Promise.all([ada, bob].map(async (one) => one.call('PUT', `${path}/reactions/${like}`)));
    const expected = async (all: readonly string[]): Promise<void> => {
      const { reactions } = await read<Message>(ada, path);
      assert.deepEqual(reactions, [{ emoji: '👍', count: all.length, user_ids: all.toSorted().slice(0, 10) }]);
    };
    const ids = people.map(({ userId }) => userId);
    await expected([...ids, ada.userId, bob.userId]);
    await Promise.all([ada, bob].map(async (one) => one.call('DELETE', `${path}/reactions/${like}`)));
    await expected(ids);
  });

  test('with text is refused, and so is a reaction to nothing', async () => {
    const where = await group();
    await sendMessage(ada, where, 'x');
    const path = `/conversations/${where}/messages/1/reactions`;
    for (const text of ['x', '👍👍', '1', '%20', 'a'.repeat(90), '🇩'])
      assert.equal(await ada.outcome('PUT', `${path}/${encodeURIComponent(text)}`), '400 invalid_request', text);
    assert.equal(await ada.outcome('PUT', `${path}/${encodeURIComponent('👩🏽‍❤️‍💋‍👨🏽')}`), '204');
    assert.equal(
      await ada.outcome('PUT', `/conversations/${where}/messages/2/reactions/${like}`),
      '404 message_not_found',
    );
    assert.equal(await eve.outcome('PUT', `${path}/${like}`), '404 conversation_not_found');
    assert.equal(await eve.outcome('GET', path), '404 conversation_not_found');
    assert.equal(await ada.outcome('GET', `${path}?after=MTIz`), '400 invalid_request');
  });
});
