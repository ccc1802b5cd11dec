/** What is left of a deleted account: nothing that names it, and of its texts what it chose. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import type { Changes } from '@messenger/protocol/changes';
import type { Message } from '@messenger/protocol/messages';

import { useApp } from '../../test/app.ts';
import { outcomeOf, password, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';
import { usePools } from '../../test/pools.ts';
import { waitFor } from '../../test/wait-for.ts';
import { sweepConversations } from '../conversations/sweep-conversations.ts';
import { withClient } from '../db/session.ts';
import type { Queryable } from '../db/statement.ts';
import { roles } from '../embedded/settings.ts';
import { eraseTraces } from './erasures.ts';

const database = useDatabase();
const app = useApp(database, { env: { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0', RATE_LIMIT_PASSWORDS: '0' } });
const open = usePools(database);
const names = { first_name: 'Qwfirst', last_name: 'Qwlast' };
const username = 'qwname.x';
const isErased = /qwname|qwfirst|qwlast/iu;
let bob: Client;
let eve: Client;

/** Everything in the database, as text. */
async function dump(): Promise<string> {
  const tables = await database().sql<{ name: string }>(
    `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  const texts: string[] = [];
  for (const { name } of tables)
    texts.push(
      ...(await database().sql<{ row: string }>(`select '${name} ' || t::text as row from ${name} t`)).map(
        ({ row }) => row,
      ),
    );
  return texts.join('\n');
}

interface Life {
  readonly victim: Client;
  readonly owned: string;
  readonly direct: string;
  readonly alone: string;
  readonly former: string;
}

async function call(client: Client, method: string, path: string, body?: object): Promise<void> {
  const outcome = await client.outcome(method, path, body);
  assert.match(outcome, /^20/u, `${method} ${path}: ${outcome}`);
}

/** A person with rows of every kind. */
async function live(text: string): Promise<Life> {
  const victim = await signUp(app(), username, names);
  const make = async (kind: 'group' | 'channel' | 'direct', ...people: Parameters<typeof insertConversation>[2]) =>
    insertConversation(database(), kind, people);
  const owned = await make('group', [victim, 'owner'], [bob, 'member'], [eve, 'admin']);
  const direct = await make('direct', [victim, 'member'], [bob, 'member']);
  const alone = await make('channel', [victim, 'owner']);
  const former = await make('group', [victim, 'member'], [bob, 'owner']);
  const like = encodeURIComponent('👍');
  for (const where of [owned, direct, former]) {
    const messages = `/conversations/${where}/messages`;
    await sendMessage(victim, where, `${text} one @bob @all`);
    await sendMessage(bob, where, `hi @${username}, and @QWNAME.X! mail a@b.org`);
    await sendMessage(bob, where, `look: @${username}`);
    await call(victim, 'PATCH', `${messages}/1`, { body: `${text} two @bob` });
    await call(bob, 'PATCH', `${messages}/3`, { body: 'edited' });
    await call(bob, 'PUT', `${messages}/1/reactions/${like}`);
    for (const number of [1, 2, 3]) await call(victim, 'PUT', `${messages}/${number}/reactions/${like}`);
    await call(bob, 'PUT', `${messages}/2/reactions/${like}`);
    await call(victim, 'PUT', `/conversations/${where}/read`, { number: 3 });
    await sendMessage(victim, where, `${text} last by @${username}`);
  }
  await call(victim, 'PUT', `/conversations/${owned}/messages/1/pin`);
  await database().sql(
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
     select $1, n, gen_random_uuid(), case when n % 2 = 0 then $2::uuid else $3 end, case when n % 2 = 0 then $4 else '@' || $5 end, '', 100 + n
       from generate_series(5, 2100) n`,
    [former, victim.userId, bob.userId, text, username],
  );
  await database().sql('update conversations set last_number = 2100, seq = 2200, last_preview = $2 where id = $1', [
    former,
    text,
  ]);
  await sendMessage(victim, alone, `${text} alone`);
  await call(victim, 'POST', `/conversations/${owned}/invites`, {});
  await call(victim, 'PUT', `/me/blocks/${eve.userId}`);
  await call(eve, 'PUT', `/me/blocks/${victim.userId}`);
  await call(bob, 'DELETE', `/conversations/${former}/members/${victim.userId}`);
  return { victim, owned, direct, alone, former };
}

async function get<T>(client: Client, path: string): Promise<T> {
  await database().replicated();
  const answer = await client.call('GET', path);
  assert.equal(outcomeOf(answer), '200', answer.body);
  return answer.json<T>();
}

const messagesOf = async (where: string): Promise<Message[]> => get(bob, `/conversations/${where}/messages?after=0`);
const changesOf = async (where: string, after: number): Promise<Changes> =>
  get(bob, `/conversations/${where}/changes?after=${after}`);

/** Runs with the lock of erasures held, so that the app takes no step. */
async function withoutApp<T>(run: () => Promise<T>): Promise<T> {
  const holder = { ...database().direct.write, user: roles.superuser };
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  return await withClient(holder, session, async (client) => {
    await client.query('select pg_advisory_lock(7219035)');
    return await run();
  });
}

const isDone = async (): Promise<boolean> => (await database().sql('select from erasures')).length === 0;

/** Takes all steps; each statement of each step is once the last one before a crash. Resolves with the number of crashes. */
async function eraseWithCrashes(): Promise<number> {
  const pool = open('write');
  let crashes = 0;
  for (let survives = 0; !(await isDone());) {
    let left = survives;
    const crashing = (tx: Queryable): Queryable => ({
      query: async (wanted, values) => {
        const rows = await tx.query(wanted, values);
        if (left === 0) throw new Error('crash');
        left -= 1;
        return rows;
      },
    });
    const step = pool.transaction(async (tx) => eraseTraces(crashing(tx)));
    const crashed = await step.then(
      () => false,
      (error: unknown) => (error instanceof Error && error.message === 'crash') || assert.fail(String(error)),
    );
    crashes += crashed ? 1 : 0;
    survives = crashed ? survives + 1 : 0;
  }
  return crashes;
}

/** Removes deleted conversations. */
async function sweep(): Promise<void> {
  const pool = open('write');
  while ((await pool.transaction(sweepConversations)) > 0);
}

async function assertNameless({ victim, alone }: Life, text: string, isGone: boolean): Promise<void> {
  const rows = (await dump()).split('\n');
  assert.deepEqual(
    rows.filter((row) => isErased.test(row)),
    [],
  );
  assert.equal(
    rows.some((row) => row.includes(text)),
    !isGone,
  );
  assert(!rows.some((row) => row.includes(alone)), 'the conversation without members is deleted');
  const about = rows.filter((row) => row.includes(victim.userId));
  // Mentions by the person, of others.
  const tables = ['audit', 'conversations', 'invites', 'members', ...(isGone ? [] : ['mentions']), 'messages'];
  assert.deepEqual([...new Set(about.map((row) => row.slice(0, row.indexOf(' '))))].toSorted(byText), tables);
  for (const row of about.filter((one) => one.startsWith('audit'))) assert.doesNotMatch(row, /127\.0\.0\.1|\{"/u);
}

const byText = (a: string, b: string): number => a.localeCompare(b);

async function assertTexts(where: string, text: string, isGone: boolean): Promise<void> {
  const found = (await messagesOf(where)).slice(0, 4).map(({ body, mentions = [], reactions = [] }) => ({
    body,
    mentions,
    reactions: reactions.flatMap(({ user_ids: ids }) => ids),
  }));
  const own = (body: string, mentions: string[]) =>
    isGone
      ? { body: undefined, mentions: [], reactions: [] }
      : { body: `${text} ${body}`, mentions, reactions: mentions };
  assert.deepEqual(found, [
    own('two @bob', [bob.userId]),
    { body: 'hi @deleted, and @deleted! mail a@b.org', mentions: [], reactions: [bob.userId] },
    { body: 'edited', mentions: [], reactions: [] },
    own('last by @deleted', []),
  ]);
  const revisions = await get<{ body: string }[]>(bob, `/conversations/${where}/messages/3/revisions`);
  assert.deepEqual(
    revisions.map(({ body }) => body),
    ['look: @deleted'],
  );
}

interface Held {
  readonly messages: readonly Message[];
  readonly changes: Changes;
}

/** A client that follows the conversation ends in the state of one that loads it, and misses no change. */
async function assertFollowed({ owned, victim }: Life, held: Held): Promise<void> {
  const since = held.changes.to;
  const changes = await changesOf(owned, since);
  const messages = new Map([...held.messages, ...changes.messages].map((one) => [one.number, one]));
  assert.deepEqual([...messages.values()], await messagesOf(owned));
  const members = new Map([...held.changes.members, ...changes.members].map((one) => [one.user_id, one]));
  assert.deepEqual(members, new Map((await changesOf(owned, 0)).members.map((one) => [one.user_id, one])));
  assert.equal(members.get(eve.userId)?.role, 'owner');
  assert.notEqual(members.get(victim.userId)?.left_at, null);
  const taken = [...changes.messages, ...changes.members].map(({ seq }) => seq).toSorted((a, b) => a - b);
  assert.deepEqual(
    taken,
    Array.from({ length: changes.to - since }, (_, index) => since + 1 + index),
  );
}

async function assertDirect(where: string): Promise<void> {
  assert.equal((await get<{ member_count: number }>(bob, `/conversations/${where}`)).member_count, 1);
  const send = await bob.outcome('POST', `/conversations/${where}/messages`, { body: 'x' });
  assert.equal(send, '403 recipient_unavailable');
}

describe('of a deleted account', () => {
  before(async () => {
    await signUp(app(), 'root');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  for (const messages of ['keep', 'erase'] as const)
    test(`with "${messages}" no table has the name, whenever the removal was interrupted`, async () => {
      const text = `text to ${messages}`;
      const life = await live(text);
      assert.match(await dump(), isErased);
      const held = { messages: await messagesOf(life.owned), changes: await changesOf(life.owned, 0) };
      const crashes = await withoutApp(async () => {
        await call(life.victim, 'DELETE', '/me', { password, messages });
        return await eraseWithCrashes();
      });
      assert.ok(crashes > 20, `${crashes} crashes`);
      await sweep();
      await assertNameless(life, text, messages === 'erase');
      for (const where of [life.owned, life.direct, life.former]) await assertTexts(where, text, messages === 'erase');
      await assertFollowed(life, held);
      await assertDirect(life.direct);
    });

  test('the removal begins at once, and leaves a new account with the same username alone', async () => {
    const { victim, owned } = await live('text');
    const next = await withoutApp(async () => {
      await call(victim, 'DELETE', '/me', { password });
      const again = await signUp(app(), username, { first_name: 'New', last_name: 'Person' });
      await call(bob, 'POST', '/conversations', { kind: 'group', title: 'x', members: [again.userId] });
      await call(eve, 'DELETE', `/me/blocks/${victim.userId}`);
      await database().sql(
        `insert into members (conversation_id, user_id, role, listed_at, changed_seq) values ($1, $2, 'member', now(), 1)`,
        [owned, again.userId],
      );
      await sendMessage(bob, owned, `welcome @${username}`);
      return again;
    });
    // Any deletion begins a round; this one also has the steps that the app could not take before.
    await call(await signUp(app(), 'brief'), 'DELETE', '/me', { password });
    await waitFor('the erasure', isDone, 30_000);
    const sent = await messagesOf(owned);
    assert.deepEqual(
      [sent[1]?.body?.includes('@deleted'), sent.at(-1)?.body, sent.at(-1)?.mentions],
      [true, `welcome @${username}`, [next.userId]],
    );
    assert.equal(await next.outcome('GET', '/me'), '200');
  });

  test('nobody takes a name that stands for others', async () => {
    for (const name of ['deleted', 'ALL'])
      assert.equal(await eve.outcome('PATCH', '/me', { username: name, password }), '400 invalid_request');
  });
});
