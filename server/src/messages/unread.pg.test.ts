/** Unread is computed from two numbers, and equals a count by hand (promise G5). */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';
import type { ReadPosition, Unread } from '@messenger/protocol/reading';
import { array, assert as property, asyncProperty, constantFrom, nat, record } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';

const database = useDatabase();
const env = { DB_BATCHING: 'on', RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' };
const app = useApp(database, { env, maxOpen: 20 });
let owner: Client;
let people: readonly Client[];

const step = record({
  kind: constantFrom('send', 'send', 'send', 'read', 'read', 'unread', 'delete', 'leave', 'join'),
  who: nat(2),
  number: constantFrom(0, 1, 2, 3, 4, 5, 6, 8, 1_000),
});
type Step = typeof step extends { generate: (...args: never[]) => { value: infer Value } } ? Value : never;

/** A conversation in the mind of somebody who counts: each member's unread messages, by number. */
class Counted {
  last = 0;
  readonly unread = new Map<Client, Set<number>>();

  join(who: Client): void {
    if (!this.unread.has(who)) this.unread.set(who, new Set());
  }

  send(who: Client): void {
    this.last += 1;
    for (const numbers of this.unread.values()) numbers.add(this.last);
    this.unread.get(who)?.clear();
  }

  read(who: Client, upTo: number): void {
    const numbers = this.unread.get(who);
    for (const number of numbers ?? []) if (number <= upTo) numbers?.delete(number);
  }

  markUnread(who: Client, from: number): void {
    for (let number = from; number <= this.last; number += 1) this.unread.get(who)?.add(number);
  }
}

async function execute(where: string, { kind, who, number }: Step, counted: Counted): Promise<void> {
  const client = people[who] ?? assert.fail();
  const isMember = counted.unread.has(client);
  const expect = async (outcome: string, ...call: Parameters<Client['call']>): Promise<void> => {
    const answer = await client.call(...call);
    assert.equal(
      outcomeOf(answer),
      isMember ? outcome : '404 conversation_not_found',
      `${kind} ${number}: ${answer.body}`,
    );
    if (outcome === '200' && isMember)
      assert.equal(answer.json<ReadPosition>().unread, counted.unread.get(client)?.size);
  };
  switch (kind) {
    case 'send':
      if (isMember) counted.send(client);
      return expect('201', 'POST', `${where}/messages`, { body: 'x' });
    case 'read':
      counted.read(client, number);
      return expect('200', 'PUT', `${where}/read`, { number });
    case 'unread':
      counted.markUnread(client, number + 1);
      return expect('200', 'PUT', `${where}/unread`, { number: number + 1 });
    case 'delete':
      assert.match(
        await owner.outcome('DELETE', `${where}/messages/${number + 1}`),
        /^(?:204|404 message_not_found)$/u,
      );
      return undefined;
    case 'leave':
      await expect('204', 'DELETE', `${where}/members/me`);
      counted.unread.delete(client);
      return undefined;
    default:
      assert.equal(await client.outcome('PUT', `${where}/members/me`), isMember ? '200' : '201');
      counted.join(client);
      return undefined;
  }
}

async function create(): Promise<string> {
  const members = people.map(({ userId }) => userId);
  const body = { kind: 'channel', title: 'Channel', is_public: true, members };
  const { id } = (await owner.call('POST', '/conversations', body)).json<Conversation>();
  // A newcomer of a channel may only read; these may write, also when they come again.
  await database().sql(`update members set role = 'member' where conversation_id = $1 and user_id <> $2`, [
    id,
    owner.userId,
  ]);
  return id;
}

async function assertCounts(id: string, counted: Counted): Promise<void> {
  await database().replicated();
  for (const [client, numbers] of counted.unread) {
    const { me, last_number: last } = (await client.call('GET', `/conversations/${id}`)).json<Conversation>();
    assert.deepEqual([last, me.unread], [counted.last, numbers.size]);
    const { conversations, messages } = (await client.call('GET', '/unread')).json<Unread>();
    assert.deepEqual([conversations, messages], [numbers.size > 0 ? 1 : 0, numbers.size]);
  }
}

describe('what is unread', () => {
  before(async () => {
    owner = await signUp(app(), 'owner');
    people = [await signUp(app(), 'ada'), await signUp(app(), 'bob'), await signUp(app(), 'eve')];
  });

  test('equals a count by hand, after random sends, reads, deletions and joins', async () => {
    await property(
      asyncProperty(array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
        const id = await create();
        const counted = new Counted();
        for (const client of [owner, ...people]) counted.join(client);
        for (const one of steps) {
          await execute(`/conversations/${id}`, one, counted);
          await database().sql(`update members set role = 'member' where conversation_id = $1 and role = 'reader'`, [
            id,
          ]);
        }
        await assertCounts(id, counted);
        await owner.call('DELETE', `/conversations/${id}`);
      }),
      { numRuns: 12 },
    );
  });

  test('is exact when sends and reads come at the same moment', async () => {
    const id = await create();
    const where = `/conversations/${id}`;
    const [ada = assert.fail(), bob = assert.fail()] = people;
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => [
        await ada.outcome('POST', `${where}/messages`, { body: 'x' }),
        await bob.outcome('PUT', `${where}/read`, { number: n }),
      ]),
    );
    await database().replicated();
    const { me } = (await bob.call('GET', where)).json<Conversation>();
    assert.ok(me.read_number <= 19);
    assert.equal(me.unread, 20 - me.read_number);
    assert.equal((await ada.call('GET', where)).json<Conversation>().me.unread, 0);
  });
});
