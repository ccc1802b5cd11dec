/** With batches and without, the answers are the same: random histories on two servers that differ in nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { User } from '@messenger/protocol/users';
import { array, assert as property, asyncProperty, constantFrom, nat, oneof, record, uniqueArray } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { useDatabase, type DatabaseFixture } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { AppError } from '../lib/app-error.ts';
import { encodeCursor } from './page-cursor.ts';
import type { Users } from './users.ts';

/** Users by the order in which they were made; the same number is the same user on both servers. */
const people = nat(11);
const text = constantFrom('Ada', 'Grace', "O'Hara", 'nul\u0000', '{"a","b"}', 'NULL', '', 'x'.repeat(101), '李 👩‍👧');

type Call =
  | { readonly kind: 'create'; readonly first: string; readonly last: string }
  | { readonly kind: 'get'; readonly who: number }
  | { readonly kind: 'delete'; readonly who: number }
  | { readonly kind: 'rename'; readonly who: number; readonly first?: string; readonly last?: string }
  | { readonly kind: 'list'; readonly limit: number; readonly offset: number }
  | { readonly kind: 'listAfter'; readonly limit: number; readonly who: number };

/** What the calls of a round change, they change in users of their own, so that every order of them is as good. */
interface Round {
  readonly reads: readonly Call[];
  readonly changes: readonly Call[];
  readonly creates: readonly Call[];
}

const reads = array(
  oneof(
    record({ kind: constantFrom('get' as const), who: people }),
    record({ kind: constantFrom('list' as const), limit: nat(5), offset: nat(8) }),
    record({ kind: constantFrom('listAfter' as const), limit: nat(5), who: people }),
  ),
  { maxLength: 12 },
);
const changes = uniqueArray(
  oneof(
    { weight: 1, arbitrary: record({ kind: constantFrom('delete' as const), who: people }) },
    {
      weight: 3,
      arbitrary: record(
        { kind: constantFrom('rename' as const), who: people, first: text, last: text },
        { requiredKeys: ['kind', 'who'] },
      ),
    },
  ),
  { maxLength: 10, selector: ({ who }) => who },
);
const creates = array(record({ kind: constantFrom('create' as const), first: text, last: text }), { maxLength: 4 });
const histories = array(record({ reads, changes, creates }), { minLength: 1, maxLength: 5 });

/** A server with its own database. */
class Side {
  readonly #database: DatabaseFixture;
  readonly #users: () => Users;
  #made: User[] = [];

  constructor(batching: 'on' | 'off') {
    this.#database = useDatabase();
    const app = useApp(this.#database, { env: { DB_BATCHING: batching } });
    this.#users = () => usersOf(app());
  }

  async reset(): Promise<void> {
    await this.#database().sql('truncate users');
    this.#made = [];
    for (let n = 0; n < 10; n += 1) this.#made.push(await this.#create(`first ${n}`, `last ${n}`));
  }

  /** Each kind all at once. Who was created first of those is open, so they go again before there is a list. */
  async play(round: Round): Promise<unknown[]> {
    await this.#database().replicated();
    const answers = await Promise.all(round.reads.map(async (call) => this.#answer(call)));
    answers.push(...(await Promise.all(round.changes.map(async (call) => this.#answer(call)))));
    answers.push(...(await Promise.all(round.creates.map(async (call) => this.#answer(call)))));
    await this.#database().sql('delete from users where id <> all($1)', [this.#made.map(({ id }) => id)]);
    return answers;
  }

  async #answer(call: Call): Promise<unknown> {
    try {
      return await this.#make(call);
    } catch (error) {
      if (error instanceof AppError) return error.code;
      return error instanceof Error && 'code' in error ? error.code : error;
    }
  }

  async #make(call: Call): Promise<unknown> {
    const users = this.#users();
    if (call.kind === 'create') return comparable(await this.#create(call.first, call.last));
    if (call.kind === 'get') return this.#numbered(await users.get(this.#idOf(call.who), someone()));
    if (call.kind === 'delete') return await users.delete(this.#idOf(call.who), someone()).then(() => 'deleted');
    if (call.kind === 'rename')
      return this.#numbered(await users.rename(this.#idOf(call.who), namesOf(call), someone()));
    const place = call.kind === 'list' ? { offset: call.offset } : { after: this.#cursorOf(call.who) };
    const page = await users.list({ limit: call.limit + 1, ...place }, someone());
    return { users: page.users.map((user) => this.#numbered(user)), isFull: page.next !== undefined };
  }

  async #create(first: string, last: string): Promise<User> {
    return await this.#users().create({ first_name: first, last_name: last }, someone());
  }

  #idOf(who: number): string {
    return this.#made[who]?.id ?? '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
  }

  #cursorOf(who: number): string {
    const { created_at: createdAt = '2100-01-01T00:00:00.000000Z', id = this.#idOf(who) } = this.#made[who] ?? {};
    return encodeCursor({ createdAt, id });
  }

  /** Ids and times differ; which user it is, and whether it was changed, do not. */
  #numbered(user: User): object {
    return { ...comparable(user), number: this.#made.findIndex(({ id }) => id === user.id) };
  }
}

function comparable({ first_name: first, last_name: last, created_at: created, updated_at: updated }: User): object {
  return { first, last, isChanged: updated > created };
}

function namesOf({ first, last }: { readonly first?: string; readonly last?: string }): object {
  return { ...(first === undefined ? {} : { first_name: first }), ...(last === undefined ? {} : { last_name: last }) };
}

const batched = new Side('on');
const unbatched = new Side('off');

test('whoever asks cannot tell whether calls travel together', async () => {
  await property(
    asyncProperty(histories, async (history) => {
      await Promise.all([batched.reset(), unbatched.reset()]);
      for (const round of history) assert.deepEqual(await batched.play(round), await unbatched.play(round));
    }),
    { numRuns: 30 },
  );
});
