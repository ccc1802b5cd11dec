/** Batching does not change what calls on messages do: random histories on two servers that differ only in batching. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import type { Message } from '@messenger/protocol/messages';
import { array, assert as property, asyncProperty, constantFrom, nat, oneof, record } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase, type DatabaseFixture } from '../../test/database.ts';
import type { App } from '../app.ts';

/** By an owner, two members, and somebody who is none. */
const people = ['owner', 'ada', 'bob', 'nobody'] as const;
/** Each of the first three has sent a third of them; the last does not exist. */
const made = 6;

const by = nat(people.length - 1);
/** Most calls are for few messages. */
const number = oneof(
  constantFrom(1, 2),
  nat(made).map((n) => n + 1),
);
const emoji = constantFrom('👍', '❤', '❤️', '🎉', 'x');
const call = oneof(
  record({ kind: constantFrom('edit' as const), by, number, text: constantFrom('a', 'b', 'c @ada @all', '') }),
  record({ kind: constantFrom('delete' as const), by, number }),
  record({ kind: constantFrom('pin' as const, 'unpin' as const), by, number }),
  record({ kind: constantFrom('react' as const, 'unreact' as const), by, number, emoji }),
  record({ kind: constantFrom('react' as const, 'unreact' as const), by, number, emoji }),
  record({ kind: constantFrom('read' as const, 'unread' as const), by, number }),
);
type Call = typeof call extends { generate: (...args: never[]) => { readonly value: infer Value } } ? Value : never;

/**
 * What another call of a round must not do otherwise, so that the result does not depend on their order: each key has one action. A message
 * that is deleted has no other call.
 */
function claimsOf(one: Call): readonly (readonly [key: string, action: string])[] {
  const { kind, by: who, number: n } = one;
  const message = [`message ${n}`, kind === 'delete' ? `delete ${who}` : 'other'] as const;
  switch (one.kind) {
    case 'edit':
      return [message, [`text ${n}`, `${who} ${one.text}`]];
    case 'delete':
      return [message];
    case 'pin':
    case 'unpin':
      return [message, [`pin ${n}`, `${kind} ${who}`]];
    case 'react':
    case 'unreact':
      return [message, [`reaction ${n} ${who} ${one.emoji.slice(0, 1)}`, kind]];
    default:
      return [[`reader ${who}`, `${kind} ${n}`]];
  }
}

/** Each call is made up to three times at the same moment. */
function repeated(calls: readonly Call[]): Call[] {
  return calls.flatMap((one, place) => Array.from({ length: 1 + (place % 3) }, () => one));
}

function withoutConflicts(calls: readonly Call[]): Call[] {
  const claimed = new Map<string, string>();
  return calls.filter((one) => {
    const claims = claimsOf(one);
    if (claims.some(([key, action]) => (claimed.get(key) ?? action) !== action)) return false;
    for (const [key, action] of claims) claimed.set(key, action);
    return true;
  });
}

function requestOf(one: Call, where: string): Parameters<Client['call']> {
  const message = `${where}/messages/${one.number}`;
  switch (one.kind) {
    case 'edit':
      return ['PATCH', message, { body: one.text }];
    case 'delete':
      return ['DELETE', message];
    case 'pin':
    case 'unpin':
      return [one.kind === 'pin' ? 'PUT' : 'DELETE', `${message}/pin`];
    case 'react':
    case 'unreact':
      return [one.kind === 'react' ? 'PUT' : 'DELETE', `${message}/reactions/${encodeURIComponent(one.emoji)}`];
    default:
      return ['PUT', `${where}/${one.kind}`, { number: one.number }];
  }
}

/** A server with its own database. */
class Side {
  readonly #database: DatabaseFixture;
  readonly #app: () => App;
  #clients: Client[] = [];

  constructor(batching: 'on' | 'off') {
    this.#database = useDatabase();
    const env = { DB_BATCHING: batching, RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' };
    this.#app = useApp(this.#database, { env });
  }

  async signUp(): Promise<void> {
    this.#clients = [];
    for (const name of people) this.#clients.push(await signUp(this.#app(), name));
  }

  #nameOf(id: string | null): string {
    return people[this.#clients.findIndex(({ userId }) => userId === id)] ?? 'none';
  }

  /** Resolves with what each round was answered, and with the state after it. */
  async play(rounds: readonly (readonly Call[])[]): Promise<unknown> {
    const [owner = assert.fail(), ada = assert.fail(), bob = assert.fail()] = this.#clients;
    const where = await insertConversation(this.#database(), 'group', [
      [owner, 'owner'],
      [ada, 'member'],
      [bob, 'member'],
    ]);
    for (let n = 0; n < made; n += 1) await sendMessage([owner, ada, bob][n % 3] ?? owner, where, `sent ${n}`);
    const played: unknown[] = [];
    for (const round of rounds) {
      const answers = await Promise.all(
        repeated(withoutConflicts(round)).map(async (one) => {
          const client = this.#clients[one.by] ?? assert.fail();
          const answer = await client.call(...requestOf(one, `/conversations/${where}`));
          const isRead = one.kind === 'read' || one.kind === 'unread';
          return [outcomeOf(answer), isRead && answer.statusCode === 200 ? answer.json<unknown>() : undefined];
        }),
      );
      played.push(answers, await this.#state(where, owner));
    }
    return played;
  }

  /** Without ids, times and the order of changes; but with the number of changes. */
  async #state(where: string, client: Client): Promise<unknown> {
    const [head] = await this.#database().sql('select seq::int, last_preview from conversations where id = $1', [
      where,
    ]);
    const counts = await this.#database().sql(
      `select (select count(*)::int from message_revisions where conversation_id = $1) as revisions,
              (select count(*)::int from reactions where conversation_id = $1) as reactions,
              (select count(*)::int from mentions where conversation_id = $1) as mentions,
              (select count(*)::int from messages where conversation_id = $1 and search is null) as without_words`,
      [where],
    );
    await this.#database().replicated();
    const messages = (await client.call('GET', `/conversations/${where}/messages`)).json<Message[]>();
    return { head, counts, messages: messages.map((message) => this.#plain(message)) };
  }

  #plain({ number: n, body, mentions = [], mentions_all, reactions = [], ...times }: Message): unknown {
    const people_of = (ids: readonly string[]): string[] => ids.map((id) => this.#nameOf(id)).toSorted();
    return {
      n,
      body,
      mentions: people_of(mentions),
      mentions_all,
      reactions: reactions
        .map(({ emoji: one, count, user_ids: ids }) => `${one} ${count} ${people_of(ids).join(' ')}`)
        .toSorted(),
      pinned: times.pinned_by !== undefined && this.#nameOf(times.pinned_by),
      edited: times.edited_at !== undefined,
      deleted: times.deleted_at !== undefined,
    };
  }
}

const batched = new Side('on');
const unbatched = new Side('off');

describe('batching', () => {
  before(async () => {
    await Promise.all([batched.signUp(), unbatched.signUp()]);
  });

  test('changes neither answers nor states', async () => {
    const rounds = array(array(call, { minLength: 1, maxLength: 24, size: 'max' }), { minLength: 1, maxLength: 3 });
    await property(
      asyncProperty(rounds, async (history) => {
        const [together, singly] = await Promise.all([batched.play(history), unbatched.play(history)]);
        assert.deepEqual(together, singly);
      }),
      { numRuns: 10 },
    );
  });
});
