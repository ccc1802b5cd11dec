/** Sending: once, in one order, by the rules of the conversation. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import { Message } from '@messenger/protocol/messages';
import type { ConversationKind, MemberRole } from '@messenger/protocol/rights';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { withClient } from '../db/session.ts';
import { roles } from '../embedded/settings.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on' } });
let ada: Client;
let bob: Client;
let eve: Client;

async function conversation(
  kind: ConversationKind,
  people: readonly (readonly [Client, MemberRole])[],
): Promise<string> {
  const [row] = await database().sql<{ id: string }>(
    'insert into conversations (kind, member_count) values ($1, $2) returning id',
    [kind, people.length],
  );
  const id = row?.id ?? assert.fail();
  for (const [{ userId }, role] of people)
    await database().sql(
      `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
       values ($1, $2, $3, case when $4 = 'channel' then 'infinity' else date_bin('1 hour', now(), 'epoch') end, 0)`,
      [id, userId, role, kind],
    );
  return id;
}

const group = async (): Promise<string> =>
  conversation('group', [
    [ada, 'owner'],
    [bob, 'member'],
  ]);

async function put(client: Client, where: string, body: object, id: string = randomUUID()) {
  const answer = await client.call('PUT', `/conversations/${where}/messages/${id}`, body);
  return { outcome: outcomeOf(answer), message: answer.json<Message>() };
}

async function list(client: Client, where: string, query = ''): Promise<Message[]> {
  await database().replicated();
  const answer = await client.call('GET', `/conversations/${where}/messages${query}`);
  assert.equal(outcomeOf(answer), '200');
  return Value.Parse(Type.Array(Message), answer.json());
}

describe('messages', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  describe('a message', () => {
    test('is stored once, however often it is sent, and every repeat gets it', async () => {
      const where = await group();
      const id = randomUUID();
      const first = await put(ada, where, { body: 'hello', reply_to: undefined }, id);
      assert.equal(first.outcome, '201');
      const given = ['conversation_id', 'number', 'id', 'seq', 'sender_id', 'created_at', 'body'];
      assert.deepEqual(Object.keys(first.message).toSorted(), given.toSorted(), 'without fields that have no value');
      const again = await Promise.all(
        Array.from({ length: 20 }, async () => put(ada, where, { body: 'hello' }, id.toUpperCase())),
      );
      for (const { outcome, message } of again) {
        assert.equal(outcome, '200');
        assert.deepEqual(message, first.message);
      }
      assert.deepEqual(await list(bob, where), [first.message]);
    });

    test('that is sent several times in one batch is stored once', async () => {
      const where = await group();
      const id = randomUUID();
      const sent = await Promise.all([1, 2, 3].map(async () => put(ada, where, { body: 'x' }, id)));
      assert.deepEqual(sent.map(({ outcome }) => outcome).toSorted(), ['200', '200', '201']);
      assert.equal((await list(ada, where)).length, 1);
    });

    test('with a taken id is refused without a word about the stored one', async () => {
      const where = await group();
      const id = randomUUID();
      await put(ada, where, { body: 'secret words' }, id);
      for (const [who, body] of [
        [ada, 'other'],
        [bob, 'secret words'],
      ] as const) {
        const { outcome, message } = await put(who, where, { body }, id);
        assert.equal(outcome, '409 message_id_taken');
        assert.doesNotMatch(JSON.stringify(message), /secret/u);
      }
    });

    test('of a non-member gets the same answer as one to no conversation', async () => {
      const where = await group();
      assert.equal((await put(eve, where, { body: 'x' })).outcome, '404 conversation_not_found');
      assert.equal((await put(eve, randomUUID(), { body: 'x' })).outcome, '404 conversation_not_found');
      assert.equal(await eve.outcome('GET', `/conversations/${where}/messages`), '404 conversation_not_found');
      assert.deepEqual(await list(ada, where), []);
    });

    test('that is refused takes no number, and fails alone', async () => {
      const where = await conversation('channel', [
        [ada, 'owner'],
        [bob, 'reader'],
      ]);
      const sent = await Promise.all([
        put(ada, where, { body: 'one' }),
        put(bob, where, { body: 'no' }),
        put(ada, where, { body: 'no', reply_to: 99 }),
        put(eve, where, { body: 'no' }),
        put(ada, where, { body: 'two' }),
      ]);
      assert.deepEqual(
        sent.map(({ outcome }) => outcome),
        ['201', '403 not_permitted', '404 message_not_found', '404 conversation_not_found', '201'],
      );
      assert.deepEqual(
        (await list(bob, where)).map(({ number, seq }) => [number, seq]),
        [
          [1, 1],
          [2, 2],
        ],
      );
    });

    test('in a thread counts on its first message, with one change', async () => {
      const where = await group();
      await put(ada, where, { body: 'root' });
      await put(ada, where, { body: 'aside' });
      await Promise.all([put(bob, where, { body: 'a', thread_of: 1 }), put(ada, where, { body: 'b', thread_of: 1 })]);
      assert.equal((await put(bob, where, { body: 'c', thread_of: 3 })).outcome, '404 message_not_found');
      const [root, , , last] = await list(ada, where);
      assert.deepEqual([root?.thread, root?.seq, last?.seq], [{ count: 2, last_number: 4 }, 4, 4]);
    });

    test('mentions members by username, and everybody only with that right', async () => {
      const where = await group();
      const one = await put(ada, where, { body: 'hi @bob, @Ada, @eve, mail x@bob.org, `@eve`, @all' });
      assert.deepEqual(one.message.mentions?.toSorted(), [ada.userId, bob.userId].toSorted());
      assert.equal(one.message.mentions_all, true);
      const noted = await database().sql<{ user_id: string }>(
        'select user_id from mentions where conversation_id = $1 order by 1',
        [where],
      );
      assert.deepEqual(
        noted.map(({ user_id }) => user_id),
        ['00000000-0000-0000-0000-000000000000', bob.userId],
      );
      const channel = await conversation('channel', [
        [ada, 'owner'],
        [bob, 'member'],
      ]);
      const { message } = await put(bob, channel, { body: '@all @eve' });
      assert.deepEqual([message.mentions, message.mentions_all], [undefined, undefined]);
    });

    test('to a person who blocks its sender looks like one to a disabled account', async () => {
      const where = await conversation('direct', [
        [ada, 'member'],
        [bob, 'member'],
      ]);
      assert.equal((await put(ada, where, { body: 'x' })).outcome, '201');
      await database().sql('insert into blocks (user_id, blocked_id) values ($1, $2)', [bob.userId, ada.userId]);
      assert.equal((await put(ada, where, { body: 'x' })).outcome, '403 recipient_unavailable');
      assert.equal((await put(bob, where, { body: 'x' })).outcome, '403 recipient_blocked');
      await database().sql('delete from blocks where user_id = $1', [bob.userId]);
      await database().sql('update accounts set disabled_at = now() where user_id = $1', [bob.userId]);
      assert.equal((await put(ada, where, { body: 'x' })).outcome, '403 recipient_unavailable');
      await database().sql('update accounts set disabled_at = null where user_id = $1', [bob.userId]);
    });

    test('moves its conversation and the place where its sender has read', async () => {
      const where = await group();
      await database().sql(`update conversations set active_at = now() - interval '2 hours' where id = $1`, [where]);
      await database().sql(
        `update members set listed_at = date_bin('1 hour', now() - interval '2 hours', 'epoch') where conversation_id = $1`,
        [where],
      );
      await put(ada, where, { body: 'first '.repeat(100) });
      await put(bob, where, { body: 'second' });
      const [row] = await database().sql(
        `select seq::int, last_number::int, last_sender_id, last_preview, active_at > now() - interval '1 minute' as is_new from conversations where id = $1`,
        [where],
      );
      assert.deepEqual(row, {
        seq: 2,
        last_number: 2,
        last_sender_id: bob.userId,
        last_preview: 'second',
        is_new: true,
      });
      const reads = await database().sql(
        `select read_number::int, listed_at > now() - interval '1 hour' as is_new from members where conversation_id = $1 order by 1`,
        [where],
      );
      assert.deepEqual(reads, [
        { read_number: 1, is_new: true },
        { read_number: 2, is_new: true },
      ]);
    });
  });

  test('pages are before, after and around a number, and the newest', async () => {
    const where = await group();
    await Promise.all(Array.from({ length: 30 }, async () => put(ada, where, { body: 'x' })));
    const numbers = async (query: string): Promise<number[]> =>
      (await list(bob, where, query)).map(({ number }) => number);
    assert.deepEqual(await numbers('?limit=3'), [28, 29, 30]);
    assert.deepEqual(await numbers('?limit=3&before=10'), [7, 8, 9]);
    assert.deepEqual(await numbers('?limit=3&after=10'), [11, 12, 13]);
    assert.deepEqual(await numbers('?limit=4&around=10'), [8, 9, 10, 11]);
    assert.deepEqual(await numbers('?limit=3&before=2'), [1]);
    assert.deepEqual(await numbers('?after=30'), []);
    assert.equal(await bob.outcome('GET', `/conversations/${where}/messages?before=2&after=1`), '400 invalid_request');
  });

  test('a conversation locked by another transaction delays only its own sends, which stay batches', async () => {
    const busy = await group();
    const free = await group();
    const holds = { ...database().direct.write, user: roles.superuser };
    await withClient(
      holds,
      { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 },
      async (holder) => {
        await holder.query('begin');
        await holder.query(`select from conversations where id = '${busy}' for update`);
        const waiting = Promise.all(Array.from({ length: 10 }, async () => put(ada, busy, { body: 'x' })));
        assert.equal((await put(ada, free, { body: 'x' })).outcome, '201');
        const waits = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        await waitFor('the sends to wait', async () => (await database().sql(waits)).length > 0);
        assert.equal((await put(bob, free, { body: 'y' })).outcome, '201');
        await holder.query('commit');
        assert((await waiting).every(({ outcome }) => outcome === '201'));
      },
    );
    // Those that arrived before the lock was known to be held, and those that arrived later.
    const counted = 'select count(distinct xmin::text)::int as transactions from messages where conversation_id = $1';
    const [row] = await database().sql<{ transactions: number }>(counted, [busy]);
    assert(row !== undefined && row.transactions <= 2);
  });
});
