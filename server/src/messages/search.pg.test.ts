/** Searches: what is found, by whom, and in which order. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import type { SearchResult } from '@messenger/protocol/search';
import fc from 'fast-check';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';
import { searchVectorOf } from './search-words.ts';

const database = useDatabase();
const app = useApp(database, { env: { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' } });
let ada: Client;
let bob: Client;
let eve: Client;

interface Page {
  readonly results: readonly SearchResult[];
  /** The path of the next page. */
  readonly next: string | undefined;
}

async function read(client: Client, path: string): Promise<Page> {
  const answer = await client.call('GET', path);
  assert.equal(outcomeOf(answer), '200', answer.body);
  const next = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(answer.headers.link))?.groups?.['next'];
  return { results: answer.json<SearchResult[]>(), next };
}

const pathOf = (query: Readonly<Record<string, string | number>>): string =>
  `/search?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString()}`;

/** Of all pages. */
async function readAll(client: Client, query: Readonly<Record<string, string | number>>): Promise<SearchResult[]> {
  const all: SearchResult[] = [];
  for (let path: string | undefined = pathOf(query); path !== undefined;) {
    const page = await read(client, path);
    all.push(...page.results);
    path = page.next;
  }
  return all;
}

async function bodies(
  client: Client,
  query: Readonly<Record<string, string | number>>,
): Promise<(string | undefined)[]> {
  await database().replicated();
  return (await readAll(client, query)).map(({ message }) => message.body);
}

const group = async (): Promise<string> =>
  insertConversation(database(), 'group', [
    [ada, 'owner'],
    [bob, 'member'],
  ]);

interface Sent {
  readonly conversation: number;
  readonly sender: Client;
  readonly body: string;
  readonly key: string;
}

interface Wanted {
  who: number;
  words: string[];
  conversation: number | null;
  from: number | null;
}

const conversations = 12;
const perConversation = 1_500;

/**
 * Words of every frequency: `old` is only in the oldest, so that no window of the newest messages has it; `edge` in the newest, too, so that the
 * sample promises a page that the longer window lacks.
 */
function bodyOf(n: number): string {
  const words = [
    'every',
    n % 2 === 0 ? 'even' : 'odd',
    `h${n % 97}`,
    n < 500 ? `old${n % 7}` : '',
    n < 500 || n >= conversations * perConversation - 30 ? 'edge' : '',
    n % 1_999 === 0 ? 'rare' : '',
  ];
  return words.filter((word) => word !== '').join(' ');
}

/** Many messages, some of them at the same time. */
async function fill(ids: readonly string[]): Promise<Sent[]> {
  const sent = Array.from({ length: conversations * perConversation }, (_, n) => {
    const conversation = (n * 7) % conversations;
    const at = new Date(Date.UTC(2026, 0, 1) + Math.floor(n / 3) * 1_000).toISOString().replace('.000', '');
    const number = Math.floor(n / conversations) + 1;
    return { n, conversation, number, at, sender: n % 3 === 0 ? ada : bob, body: bodyOf(n) };
  });
  await database().sql(
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, created_at, changed_seq, search)
     select c, number, gen_random_uuid(), sender, body, '', at, number, search::tsvector
       from unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[]) as x (c, number, sender, body, at, search)`,
    [
      sent.map(({ conversation }) => ids[conversation]),
      sent.map(({ number }) => number),
      sent.map(({ sender }) => sender.userId),
      sent.map(({ body }) => body),
      sent.map(({ at }) => at),
      sent.map(({ conversation, body }) => searchVectorOf(ids[conversation] ?? '', body)),
    ],
  );
  await database().sql('update conversations set last_number = $1, seq = $1 where id = any ($2)', [
    perConversation,
    ids,
  ]);
  await database().sql('vacuum analyze messages');
  await database().replicated();
  const keyed = sent.map((one) => ({
    ...one,
    key: `${one.at} ${ids[one.conversation]} ${String(one.number).padStart(9, '0')}`,
  }));
  return keyed.toSorted((a, b) => (a.key < b.key ? 1 : -1));
}

describe('a search', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  test('finds what was sent, newest first, with the matching parts', async () => {
    const where = await group();
    await sendMessage(ada, where, 'First *Zürich* notes');
    await sendMessage(bob, where, '👍 zurichsee, 北京大学');
    await database().replicated();
    const { results } = await read(bob, pathOf({ q: 'ZÜRICH' }));
    assert.deepEqual(
      results.map(({ message, highlights }) => [message.body, highlights]),
      [
        ['👍 zurichsee, 北京大学', [{ start: 3, end: 12 }]],
        ['First *Zürich* notes', [{ start: 7, end: 13 }]],
      ],
    );
    assert.deepEqual(results[1]?.message, (await bob.call('GET', `/conversations/${where}/messages/1`)).json());
    assert.deepEqual(await bodies(ada, { q: '京大' }), ['👍 zurichsee, 北京大学']);
    assert.deepEqual(await bodies(ada, { q: 'zurich notes' }), ['First *Zürich* notes']);
  });

  test('finds the own last message with the token of its answer', async () => {
    const where = await group();
    const sent = await ada.call('POST', `/conversations/${where}/messages`, { body: 'quokka' });
    const headers = {
      authorization: `Bearer ${ada.token}`,
      'consistency-token': String(sent.headers['consistency-token']),
    };
    const answer = await app().http.inject({ url: `/api/v1${pathOf({ q: 'quokka' })}`, headers });
    assert.equal(answer.json<SearchResult[]>().length, 1);
  });

  test('finds neither deleted text, nor text before an edit, nor conversations of others', async () => {
    const where = await group();
    await sendMessage(ada, where, 'wombat one');
    await sendMessage(ada, where, 'wombat two');
    await sendMessage(ada, where, 'wombat three');
    assert.equal((await bodies(bob, { q: 'wombat' })).length, 3);
    assert.equal(await ada.outcome('DELETE', `/conversations/${where}/messages/1`), '204');
    assert.equal(await ada.outcome('PATCH', `/conversations/${where}/messages/2`, { body: 'numbat two' }), '200');
    assert.deepEqual(await bodies(bob, { q: 'wombat' }), ['wombat three']);
    assert.deepEqual(await bodies(bob, { q: 'numbat' }), ['numbat two']);
    assert.deepEqual(await bodies(eve, { q: 'wombat' }), []);
    assert.deepEqual(await bodies(eve, { q: 'wombat', conversation: where }), []);
    await database().sql('update members set left_at = now() where conversation_id = $1 and user_id = $2', [
      where,
      bob.userId,
    ]);
    assert.deepEqual(await bodies(bob, { q: 'wombat' }), []);
    await database().sql('update conversations set deleted_at = now() where id = $1', [where]);
    assert.deepEqual(await bodies(ada, { q: 'wombat' }), []);
  });

  test('filters by conversation, sender and time', async () => {
    const [one, other] = [await group(), await group()];
    const first = await sendMessage(ada, one, 'dingo 1');
    await sendMessage(bob, one, 'dingo 2');
    const last = await sendMessage(ada, other, 'dingo 3');
    assert.deepEqual(await bodies(ada, { q: 'dingo', conversation: one.toUpperCase() }), ['dingo 2', 'dingo 1']);
    assert.deepEqual(await bodies(ada, { q: 'dingo', from: ada.userId }), ['dingo 3', 'dingo 1']);
    assert.deepEqual(await bodies(ada, { q: 'dingo', before: last.created_at }), ['dingo 2', 'dingo 1']);
    assert.deepEqual(await bodies(ada, { q: 'dingo', after: last.created_at }), ['dingo 3']);
    assert.deepEqual(await bodies(ada, { q: 'dingo', before: first.created_at }), []);
    assert.deepEqual(await bodies(ada, { q: 'dingo', from: randomUUID() }), []);
  });

  test('takes operators and quotes for text', async () => {
    const where = await group();
    await sendMessage(ada, where, `it's a "trap": a & b | !c <-> d:* \\ e`);
    for (const q of [`it's`, '"trap"', 'a & b', '!c', '<-> d', 'd:*', `\\ e'`, `' | trap`, `') trap`])
      assert.equal((await bodies(ada, { q, conversation: where })).length, 1, q);
    assert.equal((await bodies(ada, { q: 'trap | nothing', conversation: where })).length, 0);
  });

  test('without a word, too long, or with a wrong cursor is refused', async () => {
    const users = Buffer.from(`2026-01-28T12:00:00Z,${ada.userId}`).toString('base64url');
    const wrong = [
      '/search',
      '/search?q=',
      '/search?q=%20',
      '/search?q=%21%3F',
      `/search?q=${encodeURIComponent('👍')}`,
      '/search?q=a%00a',
      `/search?q=${'a%20'.repeat(1_000)}`,
      `/search?q=${encodeURIComponent(String.fromCodePoint(...Array.from({ length: 34 }, (_, n) => 0x4e_00 + n)))}`,
      `/search?q=${encodeURIComponent(Array.from({ length: 33 }, (_, n) => `w${n}x`).join(' '))}`,
      '/search?q=a&limit=101',
      '/search?q=a&conversation=x',
      '/search?q=a&before=yesterday',
      '/search?q=a&after=2026-02-30T00:00:00Z',
      '/search?q=a&cursor=',
      '/search?q=a&cursor=x',
      `/search?q=a&cursor=${users}`,
      '/search?q=a&page=2',
    ];
    for (const path of wrong) assert.match(await ada.outcome('GET', path), /^400 /u, path);
    for (const q of ['%ED%A0%80', `${'w%20'.repeat(99)}w`])
      assert.equal(await ada.outcome('GET', `/search?q=${q}`), '200', q);
  });

  test('the pages of a search have what a plain filter finds, once and in order', async () => {
    // Members of few, of some, and of many conversations: each reads in another way.
    const people = await Promise.all(['few', 'some', 'many'].map(async (name) => signUp(app(), name)));
    const mine = [3, 7, conversations];
    const ids: string[] = [];
    for (let n = 0; n < conversations; n += 1) {
      const members = people.filter((_, index) => n < (mine[index] ?? 0));
      ids.push(
        await insertConversation(
          database(),
          'group',
          members.map((one) => [one, 'member'] as const),
        ),
      );
    }
    const sent = await fill(ids);
    const word = fc.constantFrom<string[]>(
      'every',
      'ev',
      'odd',
      'h1',
      'h42',
      'o',
      'old',
      'old3',
      'edge',
      'rare',
      'none',
    );
    const query = fc.record({
      who: fc.nat(2),
      words: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
      conversation: fc.option(fc.nat(conversations - 1)),
      from: fc.option(fc.nat(1)),
    });
    const examples = ['every', 'h1', 'edge', 'old', 'rare'].map((each): [Wanted] => [
      { who: 2, words: [each], conversation: null, from: null },
    ]);
    await fc.assert(
      fc.asyncProperty(query, async ({ who, words, conversation, from }) => {
        const sender = from === null ? undefined : [ada, bob][from];
        const wanted = sent
          .filter(
            (one) =>
              one.conversation < (mine[who] ?? 0) && (conversation === null || one.conversation === conversation),
          )
          .filter((one) => sender === undefined || one.sender === sender)
          .filter(({ body }) => words.every((each) => ` ${body}`.includes(` ${each}`)));
        const filters = {
          ...(conversation === null ? {} : { conversation: ids[conversation] ?? '' }),
          ...(sender === undefined ? {} : { from: sender.userId }),
        };
        const pages = wanted.length > 300 ? 2 : 9;
        let path: string | undefined = pathOf({ q: words.join(' '), limit: 100, ...filters });
        const found: string[] = [];
        for (let page = 0; page < pages && path !== undefined; page += 1) {
          const { results, next } = await read(people[who] ?? assert.fail(), path);
          found.push(
            ...results.map(
              ({ message: m }) => `${m.created_at} ${m.conversation_id} ${String(m.number).padStart(9, '0')}`,
            ),
          );
          path = next;
        }
        const all = wanted.map(({ key }) => key.replace('Z', '.000000Z'));
        assert.deepEqual(found, path === undefined ? all : all.slice(0, found.length));
      }),
      { numRuns: 60, examples },
    );
  });
});
