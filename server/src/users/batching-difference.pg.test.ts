/** Batching does not change answers: random histories on two servers that differ only in batching. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';

import type { User, UserNames, UserNamesPatch } from '@messenger/protocol/users';
import { array, assert as property, asyncProperty, constantFrom, nat, oneof, option, record } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { useDatabase, type DatabaseFixture } from '../../test/database.ts';
import { isExplained, type Names } from '../../test/serial-orders.ts';
import { someone, usersOf } from '../../test/users.ts';
import type { App } from '../app.ts';
import type { Caller } from '../db/caller.ts';
import type { Position } from '../db/position.ts';
import { encodeCursor } from '../lib/page-cursor.ts';
import type { UserPage, Users } from './users.ts';

/**
 * Users in the order of their creation; a number is the same user on both servers, and the last two do not exist. Calls for the first ones
 * are concurrent, by clients without a token that may disconnect. Each other user has one client, which calls sequentially with its token,
 * so its answers are deterministic.
 */
const crowded = 3;
const made = 10;
const people = nat(made + 1);
const anybody = oneof(nat(crowded - 1), people);
/** Few are refused by the database, because one of them splits its batch. */
const text = oneof(
  { weight: 40, arbitrary: constantFrom('Ada', 'Grace', "O'Hara", '{"a","b"}', 'NULL', '李 👩‍👧') },
  { weight: 1, arbitrary: constantFrom('nul\u0000', '', 'x'.repeat(101)) },
);

/** In event-loop turns: when a call is made, and when its client disconnects; undefined if it does not. */
interface Times {
  readonly comes: number;
  readonly leaves: number | undefined;
}

type Call = Times &
  (
    | { readonly kind: 'create'; readonly first: string; readonly last: string }
    | { readonly kind: 'get'; readonly who: number }
    | { readonly kind: 'delete'; readonly who: number }
    | { readonly kind: 'rename'; readonly who: number; readonly first?: string; readonly last?: string }
    | { readonly kind: 'list'; readonly limit: number; readonly offset: number }
    | { readonly kind: 'listAfter'; readonly limit: number; readonly who: number }
  );

interface Round {
  /** Concurrent calls of every kind. */
  readonly calls: readonly Call[];
  /** After all of those are answered and replayed by the standby. */
  readonly reads: readonly Call[];
}

const times = { comes: nat(2), leaves: option(nat(3), { nil: undefined, freq: 3 }) };
const staying = { comes: nat(0), leaves: constantFrom(undefined) };
const create = record({ kind: constantFrom('create' as const), first: text, last: text, ...times });
const remove = record({ kind: constantFrom('delete' as const), who: anybody, ...times });
const names = { first: text, last: text };
const rename = record(
  { kind: constantFrom('rename' as const), who: anybody, ...names, ...times },
  { requiredKeys: ['kind', 'who', 'comes', 'leaves'] },
);
const get = record({ kind: constantFrom('get' as const), who: anybody, ...times });
const list = record({ kind: constantFrom('list' as const), limit: nat(5), offset: nat(8), ...times });
const anyCalls = array(
  oneof(
    { weight: 4, arbitrary: rename },
    { weight: 1, arbitrary: remove },
    { weight: 2, arbitrary: get },
    { weight: 1, arbitrary: create },
    { weight: 1, arbitrary: list },
  ),
  { maxLength: 30, size: 'max' },
);
const anyReads = array(
  oneof(
    record({ kind: constantFrom('get' as const), who: people, ...staying }),
    record({ kind: constantFrom('list' as const), limit: nat(5), offset: nat(8), ...staying }),
    record({ kind: constantFrom('listAfter' as const), limit: nat(5), who: people, ...staying }),
  ),
  { maxLength: 12 },
);
const histories = array(record({ calls: anyCalls, reads: anyReads }), { minLength: 1, maxLength: 3 });

type CallFor = Extract<Call, { readonly kind: 'get' | 'rename' | 'delete' }>;

function isFor(call: Call): call is CallFor {
  return call.kind === 'get' || call.kind === 'rename' || call.kind === 'delete';
}

/** Whether its answer does not depend on concurrent calls. */
function isCertain(call: Call): boolean {
  return isFor(call) ? call.who >= crowded : call.kind === 'create' && call.leaves === undefined;
}

interface Answered {
  readonly call: Call;
  /** The result, or the code of an error. */
  readonly answer: unknown;
}

/** A server with its own database. */
class Side {
  readonly #database: DatabaseFixture;
  readonly #app: () => App;
  readonly #tokens = new Map<number, Position>();
  #known: Users | undefined;
  #made: User[] = [];

  constructor(batching: 'on' | 'off') {
    this.#database = useDatabase();
    this.#app = useApp(this.#database, { env: { DB_BATCHING: batching } });
  }

  /** The same objects for all calls: only those share batches and rotate. */
  get #users(): Users {
    return (this.#known ??= usersOf(this.#app()));
  }

  async reset(): Promise<void> {
    await this.#database().sql('truncate users');
    this.#tokens.clear();
    this.#made = [];
    for (let n = 0; n < made; n += 1)
      this.#made.push(await this.#users.create({ first_name: `first ${n}`, last_name: `last ${n}` }, someone()));
  }

  /** Checks results that depend on timing, and resolves with the others, which must be equal on both servers. */
  async play({ calls, reads }: Round): Promise<unknown> {
    await this.#settle();
    const answered = await this.#answerAll(calls);
    for (const { call, answer } of answered)
      assert.ok(answer !== gone.code || call.leaves !== undefined, inspect(call));
    const stored = await this.#stored();
    this.#judgeCrowds(answered, stored);
    judgeCreated(
      answered,
      [...stored.values()].filter(({ id }) => this.#numberOf(id) < 0),
    );
    judgePages(answered);
    await this.#settle();
    return {
      answers: answered.filter(({ call }) => isCertain(call)).map(({ answer }) => this.#comparable(answer)),
      stored: this.#made.slice(crowded).map(({ id }) => this.#comparable(stored.get(id))),
      reads: (await this.#answerAll(reads)).map(({ answer }) => this.#comparable(answer)),
    };
  }

  /** Restores the users with concurrent calls, deletes the created ones, and waits for the standby. */
  async #settle(): Promise<void> {
    const crowd = this.#made.slice(0, crowded);
    const quiet = this.#made.slice(crowded).map(({ id }) => id);
    await this.#database().sql('delete from users where id <> all($1)', [quiet]);
    const columns = 'id, first_name, last_name, created_at, updated_at';
    await this.#database().sql(
      `insert into users (${columns}) select ${columns} from json_populate_recordset(null::users, $1)`,
      [JSON.stringify(crowd)],
    );
    await this.#database().replicated();
  }

  async #stored(): Promise<ReadonlyMap<string, User>> {
    const users = await this.#database().sql<User>(
      'select id, first_name, last_name, created_at, updated_at from users',
    );
    return new Map(users.map((user) => [user.id, user]));
  }

  async #answerAll(calls: readonly Call[]): Promise<Answered[]> {
    const latest = new Map<number, Promise<unknown>>();
    const answer = async (call: Call): Promise<unknown> => {
      if (!isFor(call) || !isCertain(call)) return await this.#answer(call);
      const mine = (latest.get(call.who) ?? Promise.resolve()).then(async () => this.#answerQuiet(call));
      latest.set(call.who, mine);
      return await mine;
    };
    return await Promise.all(calls.map(async (call) => ({ call, answer: await answer(call) })));
  }

  /** Called by this user's client. */
  async #answerQuiet(call: CallFor): Promise<unknown> {
    const caller: Caller = { ...someone(), token: this.#tokens.get(call.who) };
    const answer = await this.#answer({ ...call, leaves: undefined }, caller);
    if (caller.seen !== undefined) this.#tokens.set(call.who, caller.seen);
    return answer;
  }

  async #answer(call: Call, caller?: Caller): Promise<unknown> {
    await turns(call.comes);
    try {
      return await this.#make(call, caller ?? someone(lifetimeOf(call)));
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    }
  }

  async #make(call: Call, caller: Caller): Promise<unknown> {
    const users = this.#users;
    if (call.kind === 'create') return await users.create({ first_name: call.first, last_name: call.last }, caller);
    if (call.kind === 'get') return await users.get(this.#idOf(call.who), caller);
    if (call.kind === 'delete') return await users.delete(this.#idOf(call.who), caller).then(() => 'deleted');
    if (call.kind === 'rename') return await users.rename(this.#idOf(call.who), renamed(call), caller);
    const place = call.kind === 'list' ? { offset: call.offset } : { after: this.#cursorOf(call.who) };
    return await users.list({ limit: call.limit + 1, ...place }, caller);
  }

  #judgeCrowds(answered: readonly Answered[], stored: ReadonlyMap<string, User>): void {
    for (const [who, { id, ...user }] of this.#made.slice(0, crowded).entries()) {
      const mine = answered.flatMap(({ call, answer }) => {
        if (!isFor(call) || call.who !== who) return [];
        return { kind: call.kind, names: call.kind === 'rename' ? given(call) : {}, answer: plain(answer) };
      });
      const end = stored.get(id);
      assert.ok(isExplained(mine, namesOf(user), end && namesOf(end)), inspect({ mine, begin: user, end }));
    }
  }

  #idOf(who: number): string {
    return this.#made[who]?.id ?? '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
  }

  #numberOf(id: string): number {
    return this.#made.findIndex((user) => user.id === id);
  }

  #cursorOf(who: number): string {
    const { created_at: createdAt = '2100-01-01T00:00:00.000000Z', id = this.#idOf(who) } = this.#made[who] ?? {};
    return encodeCursor({ createdAt, id });
  }

  /** Replaces ids and times, which differ, by the number of the user and whether it was changed. */
  #comparable(answer: unknown): unknown {
    if (isUser(answer)) {
      const { id, created_at: created, updated_at: updated } = answer;
      return { ...namesOf(answer), isChanged: updated > created, number: this.#numberOf(id) };
    }
    if (!isPage(answer)) return answer;
    return { users: answer.users.map((user) => this.#comparable(user)), isFull: answer.next !== undefined };
  }
}

/** Every acknowledged user exists once; a disconnected client's may exist. */
function judgeCreated(answered: readonly Answered[], stored: readonly User[]): void {
  const creates = answered.filter(({ call }) => call.kind === 'create');
  const told = creates.map(({ answer }) => answer).filter(isUser);
  const byId = new Map(stored.map((user) => [user.id, user]));
  for (const user of told) assert.deepEqual(byId.get(user.id), user);
  assert.equal(new Set(told.map(({ id }) => id)).size, told.length);
  const left = creates.filter(({ answer }) => answer === gone.code).length;
  assert.ok(stored.length - told.length <= left, `${stored.length} users, ${told.length} told, ${left} left`);
}

/** Every page is newest first, without duplicates. */
function judgePages(answered: readonly Answered[]): void {
  for (const { call, answer } of answered) {
    if (call.kind !== 'list') continue;
    if (answer === gone.code) continue;
    assert.ok(isPage(answer), inspect(answer));
    const places = answer.users.map(({ created_at: at, id }) => `${at} ${id}`);
    assert.deepEqual(places, [...new Set(places)].toSorted().toReversed());
    assert.ok(places.length <= call.limit + 1);
  }
}

const gone = Object.assign(new Error('the client left'), { code: 'left' });

function lifetimeOf({ leaves }: Call): AbortSignal {
  const lifetime = new AbortController();
  if (leaves !== undefined) void turns(leaves).then(() => lifetime.abort(gone));
  return lifetime.signal;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

function given({ first, last }: Partial<Names>): Partial<Names> {
  return { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }) };
}

function renamed({ first, last }: Partial<Names>): UserNamesPatch {
  return { ...(first === undefined ? {} : { first_name: first }), ...(last === undefined ? {} : { last_name: last }) };
}

function namesOf({ first_name: first, last_name: last }: UserNames): Names {
  return { first, last };
}

function plain(answer: unknown): Names | string {
  return isUser(answer) ? namesOf(answer) : String(answer);
}

function isUser(answer: unknown): answer is User {
  return typeof answer === 'object' && answer !== null && 'first_name' in answer;
}

function isPage(answer: unknown): answer is UserPage {
  return typeof answer === 'object' && answer !== null && 'users' in answer;
}

const batched = new Side('on');
const unbatched = new Side('off');

test('answers with and without batching are equal', async () => {
  await property(
    asyncProperty(histories, async (history) => {
      await Promise.all([batched.reset(), unbatched.reset()]);
      for (const round of history) {
        const [together, singly] = await Promise.all([batched.play(round), unbatched.play(round)]);
        assert.deepEqual(together, singly);
      }
    }),
    { numRuns: 20 },
  );
});
