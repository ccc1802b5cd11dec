/** What is read, what is not, who has read a message, and mentions. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import type { Message } from '@messenger/protocol/messages';
import type { Unread } from '@messenger/protocol/reading';
import type { MemberRole } from '@messenger/protocol/rights';
import type { User } from '@messenger/protocol/users';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { withClient } from '../db/session.ts';
import { roles } from '../embedded/settings.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on', RATE_LIMIT_WRITES: '0' } });
let ada: Client;
let bob: Client;
let eve: Client;

const group = async (
  people: readonly (readonly [Pick<Client, 'userId'>, MemberRole])[] = [
    [ada, 'owner'],
    [bob, 'member'],
  ],
): Promise<string> => insertConversation(database(), 'group', people);

async function get<T>(client: Client, path: string): Promise<T> {
  await database().replicated();
  const answer = await client.call('GET', path);
  assert.equal(outcomeOf(answer), '200', answer.body);
  return answer.json<T>();
}

async function mark(client: Client, where: string, what: 'read' | 'unread', number: number): Promise<unknown> {
  const answer = await client.call('PUT', `/conversations/${where}/${what}`, { number });
  assert.equal(outcomeOf(answer), '200', answer.body);
  return answer.json<unknown>();
}

const at = (read_number: number, unread: number) => ({ read_number, unread });

async function seqOf(where: string): Promise<number> {
  const [row] = await database().sql<{ seq: number }>('select seq::int from conversations where id = $1', [where]);
  return row?.seq ?? assert.fail();
}

async function block(client: Client, other: Client, isOn = true): Promise<void> {
  await database().sql(
    isOn
      ? 'insert into blocks (user_id, blocked_id) values ($1, $2)'
      : 'delete from blocks where user_id = $1 and blocked_id = $2',
    [client.userId, other.userId],
  );
}

describe('reading', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  test('never moves back, nor beyond the last message, and takes no change', async () => {
    const where = await group();
    for (let n = 0; n < 5; n += 1) await sendMessage(ada, where, 'x');
    assert.deepEqual(await mark(bob, where, 'read', 3), at(3, 2));
    assert.deepEqual(await mark(bob, where, 'read', 2), at(3, 2));
    assert.deepEqual(await mark(bob, where, 'read', 0), at(3, 2));
    assert.deepEqual(await mark(bob, where, 'read', 1_000_000), at(5, 0));
    assert.deepEqual(await mark(bob, where, 'read', 0), at(5, 0), 'as it is stored');
    assert.deepEqual(await mark(bob, where, 'unread', 4), at(3, 2));
    assert.deepEqual(await mark(bob, where, 'unread', 5), at(3, 2), 'unread stays unread');
    assert.deepEqual(await mark(bob, where, 'unread', 1), at(0, 5));
    await sendMessage(bob, where, 'a send reads up to itself');
    assert.deepEqual(await mark(bob, where, 'read', 0), at(6, 0));
    assert.equal(await seqOf(where), 6);
  });

  test('is for members, of a number that can be one', async () => {
    const where = await group();
    for (const what of ['read', 'unread']) {
      const path = `/conversations/${where}/${what}`;
      assert.equal(await eve.outcome('PUT', path, { number: 1 }), '404 conversation_not_found');
      for (const number of [-1, 1.5, '1', null, 1e300, undefined])
        assert.equal(await bob.outcome('PUT', path, { number }), '400 invalid_request', String(number));
      await database().sql('update members set left_at = now() where conversation_id = $1 and user_id = $2', [
        where,
        bob.userId,
      ]);
      assert.equal(await bob.outcome('PUT', path, { number: 1 }), '404 conversation_not_found');
      await database().sql('update members set left_at = null where conversation_id = $1', [where]);
    }
    assert.equal(await bob.outcome('PUT', `/conversations/${where}/unread`, { number: 0 }), '400 invalid_request');
    assert.equal(
      await bob.outcome('PUT', `/conversations/${randomUUID()}/read`, { number: 1 }),
      '404 conversation_not_found',
    );
    await database().sql('update conversations set deleted_at = now() where id = $1', [where]);
    assert.equal(await bob.outcome('PUT', `/conversations/${where}/read`, { number: 1 }), '404 conversation_not_found');
  });

  test('of one member at the same moment has the same result as in any order', async () => {
    const where = await group();
    for (let n = 0; n < 5; n += 1) await sendMessage(ada, where, 'x');
    await Promise.all([5, 3, 4, 1].map(async (number) => mark(bob, where, 'read', number)));
    assert.deepEqual(await mark(bob, where, 'read', 0), at(5, 0));
    const answers = [mark(bob, where, 'unread', 3), mark(bob, where, 'read', 4), mark(bob, where, 'unread', 2)];
    assert.deepEqual(await Promise.all(answers), [at(2, 3), at(4, 1), at(1, 4)], 'the calls of a batch apply in order');
    assert.deepEqual(await mark(bob, where, 'read', 0), at(1, 4));
  });

  test('waits for a locked row without delaying other members', async () => {
    const where = await group();
    await sendMessage(ada, where, 'x');
    await withClient(
      { ...database().direct.write, user: roles.superuser },
      { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 },
      async (holder) => {
        await holder.query('begin');
        await holder.query(
          `select from members where conversation_id = '${where}' and user_id = '${bob.userId}' for update`,
        );
        const waiting = mark(bob, where, 'read', 1);
        const waits = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        await waitFor('the read to wait', async () => (await database().sql(waits)).length > 0);
        assert.deepEqual(await mark(ada, where, 'unread', 1), at(0, 1));
        await holder.query(
          `update members set left_at = now() where conversation_id = '${where}' and user_id = '${bob.userId}'`,
        );
        await holder.query('commit');
        await assert.rejects(waiting, /conversation_not_found/u);
      },
    );
  });

  describe('readers of a message', () => {
    const readers = async (client: Client, where: string, number: number): Promise<string[]> =>
      (await get<User[]>(client, `/conversations/${where}/messages/${number}/readers`)).map(({ id }) => id);

    test('are the others who have read it, unless they keep it private', async () => {
      const where = await group([
        [ada, 'owner'],
        [bob, 'member'],
        [eve, 'member'],
      ]);
      await sendMessage(ada, where, '1');
      await sendMessage(ada, where, '2');
      await mark(bob, where, 'read', 2);
      await mark(eve, where, 'read', 1);
      assert.deepEqual(await readers(ada, where, 1), [bob.userId, eve.userId].toSorted());
      assert.deepEqual(await readers(ada, where, 2), [bob.userId]);
      const answer = await bob.call('PATCH', '/me', { reads_private: true });
      assert.deepEqual(
        [outcomeOf(answer), answer.json<{ account: { reads_private: boolean } }>().account.reads_private],
        ['200', true],
      );
      assert.deepEqual(await readers(ada, where, 2), []);
      assert.deepEqual(await readers(bob, where, 1), [], 'who hides reads sees none');
      assert.deepEqual(await readers(eve, where, 1), [eve.userId]);
      await bob.call('PATCH', '/me', { reads_private: false });
      assert.deepEqual(await readers(bob, where, 2), [bob.userId]);
      assert.equal(await ada.outcome('GET', `/conversations/${where}/messages/3/readers`), '404 message_not_found');
    });

    test('are for direct conversations and groups of at most 100 people', async () => {
      const people = Array.from({ length: 99 }, () => [{ userId: randomUUID() }, 'member'] as const);
      const large = await group([[ada, 'owner'], [bob, 'member'], ...people]);
      const small = await group([[ada, 'owner'], ...people]);
      const channel = await insertConversation(database(), 'channel', [
        [ada, 'owner'],
        [bob, 'reader'],
      ]);
      const direct = await insertConversation(database(), 'direct', [
        [ada, 'member'],
        [bob, 'member'],
      ]);
      for (const [where, outcome] of [
        [large, '403 not_permitted'],
        [channel, '403 not_permitted'],
        [small, '200'],
        [direct, '200'],
      ] as const) {
        await sendMessage(ada, where, 'x');
        await database().replicated();
        assert.equal(await ada.outcome('GET', `/conversations/${where}/messages/1/readers`), outcome);
        assert.equal(
          await eve.outcome('GET', `/conversations/${where}/messages/1/readers`),
          '404 conversation_not_found',
        );
      }
    });
  });

  test('sums what is unread, muted conversations apart', async () => {
    const cleo = await signUp(app(), 'cleo');
    const sums = async (): Promise<Unread> => get<Unread>(cleo, '/unread');
    const nothing = { conversations: 0, messages: 0, mentions: 0 };
    assert.deepEqual(await sums(), { ...nothing, muted: nothing });
    const [one, two, three] = [
      await group([
        [ada, 'owner'],
        [cleo, 'member'],
        [eve, 'member'],
      ]),
      await group([
        [ada, 'owner'],
        [cleo, 'member'],
      ]),
      await group([
        [ada, 'owner'],
        [cleo, 'member'],
      ]),
    ];
    await sendMessage(ada, one, '@cleo and @all');
    await sendMessage(eve, one, 'hello @cleo');
    await sendMessage(ada, one, 'hello');
    await sendMessage(ada, two, '@all');
    await sendMessage(ada, three, 'x');
    await database().sql(`update members set muted_until = now() + interval '1 h' where conversation_id = $1`, [two]);
    await database().sql(`update members set muted_until = now() - interval '1 h' where conversation_id = $1`, [three]);
    const muted = { conversations: 1, messages: 1, mentions: 1 };
    assert.deepEqual(await sums(), { conversations: 2, messages: 4, mentions: 2, muted });
    await block(cleo, eve);
    assert.equal((await sums()).mentions, 1);
    await block(cleo, eve, false);
    await mark(cleo, one, 'read', 1);
    assert.deepEqual(await sums(), { conversations: 2, messages: 3, mentions: 1, muted });
    await ada.call('DELETE', `/conversations/${one}/messages/2`);
    assert.deepEqual(
      await sums(),
      { conversations: 2, messages: 3, mentions: 0, muted },
      'a deleted message stays unread',
    );
    await database().sql('update members set left_at = now() where conversation_id = any ($1)', [[one, two]]);
    assert.deepEqual(await sums(), { conversations: 1, messages: 1, mentions: 0, muted: nothing });
  });

  describe('mentions', () => {
    let cleo: Client;
    const list = async (query = ''): Promise<(string | undefined)[]> =>
      (await get<Message[]>(cleo, `/mentions${query}`)).map(({ body }) => body);

    before(async () => {
      cleo = await signUp(app(), 'cleo.2');
    });

    test('are listed newest first, while the caller is a member', async () => {
      const one = await group([
        [ada, 'owner'],
        [cleo, 'member'],
        [eve, 'member'],
      ]);
      const two = await group([
        [bob, 'owner'],
        [cleo, 'member'],
      ]);
      const earlier = await insertConversation(database(), 'group', [[bob, 'owner']]);
      await sendMessage(bob, earlier, '@all before the caller came');
      await database().sql(
        `insert into members (conversation_id, user_id, role, listed_at, changed_seq, read_number) values ($1, $2, 'member', now(), 2, 1)`,
        [earlier, cleo.userId],
      );
      await sendMessage(ada, one, '@cleo.2 1');
      await sendMessage(ada, one, 'nobody');
      await sendMessage(bob, two, '@all 2');
      await sendMessage(eve, one, '@all @cleo.2 3');
      await sendMessage(cleo, one, '@cleo.2 @all myself');
      await sendMessage(bob, two, '@cleo.2 4');
      assert.deepEqual(await list(), ['@cleo.2 4', '@all @cleo.2 3', '@all 2', '@cleo.2 1']);
      const pages: (string | undefined)[] = [];
      let path: string | undefined = '/mentions?limit=1';
      while (path !== undefined) {
        const answer = await cleo.call('GET', path);
        pages.push(...answer.json<Message[]>().map(({ body }) => body));
        path = /<\/api\/v1(.*)>; rel="next"/u.exec(String(answer.headers.link))?.[1];
      }
      assert.deepEqual(pages, ['@cleo.2 4', '@all @cleo.2 3', '@all 2', '@cleo.2 1']);
      await block(cleo, eve);
      assert.deepEqual(await list(), ['@cleo.2 4', '@all 2', '@cleo.2 1']);
      await block(cleo, eve, false);
      await database().sql('update members set left_at = now() where conversation_id = $1 and user_id = $2', [
        two,
        cleo.userId,
      ]);
      assert.deepEqual(await list(), ['@all @cleo.2 3', '@cleo.2 1']);
      assert.deepEqual(await list('?limit=1'), ['@all @cleo.2 3']);
      await database().sql('update conversations set deleted_at = now() where id = $1', [one]);
      assert.deepEqual(await list(), []);
    });

    test('of a name that is not a member, or that blocks the sender, notify nobody', async () => {
      const where = await group();
      await sendMessage(ada, where, '@cleo.2');
      await block(bob, ada);
      await sendMessage(ada, where, '@bob');
      await block(bob, ada, false);
      assert.deepEqual(await database().sql('select from mentions where conversation_id = $1', [where]), []);
    });

    test('of another list are no place in this one', async () => {
      for (const after of ['x', '', 'MTIz', Buffer.from(`2026-01-28T12:00:00Z,${randomUUID()}`).toString('base64url')])
        assert.equal(await cleo.outcome('GET', `/mentions?after=${after}`), '400 invalid_request', after);
    });
  });
});
