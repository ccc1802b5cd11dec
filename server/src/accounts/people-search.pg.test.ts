import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { useApp } from '../../test/app.ts';
import { signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { folded } from '../db/folded.ts';

const database = useDatabase();
const app = useApp(database, { env: { RATE_LIMIT_READS: '0' } });

interface Person {
  readonly id: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly username: string;
}

/** Accounts whose names are SQL expressions of their number, `n`. */
async function addPeople(count: number, names: Readonly<Record<'first' | 'last' | 'username', string>>): Promise<void> {
  await database().sql(`
    with made as (
      select uuidv7() as id, ${names.first} as first_name, ${names.last} as last_name, ${names.username} as username
        from generate_series(1, ${count}) n
    ), u as (
      insert into users (id, first_name, last_name, has_account) select id, first_name, last_name, true from made
    )
    insert into accounts (user_id, username, password_hash, search_name, search_last_name)
    select id, username, '', ${folded("first_name || ' ' || last_name")}, ${folded('last_name')} from made`);
  await database().sql('vacuum analyze users, accounts');
  await database().replicated();
}

let signedUp: Promise<Client> | undefined;
const member = (): Promise<Client> => (signedUp ??= signUp(app(), 'reader', { first_name: 'X', last_name: 'X' }));

interface Page {
  readonly ids: readonly string[];
  /** The path of the next page. */
  readonly next: string | undefined;
}

async function read(path: string): Promise<Page> {
  const answer = await (await member()).call('GET', path);
  assert.equal(answer.statusCode, 200, answer.body);
  const next = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(answer.headers.link))?.groups?.['next'];
  return { ids: answer.json<{ id: string }[]>().map(({ id }) => id), next };
}

const pathOf = (query: string, limit: number): string => `/users?query=${encodeURIComponent(query)}&limit=${limit}`;

async function readAll(query: string, limit: number): Promise<string[]> {
  const ids: string[] = [];
  for (let path: string | undefined = pathOf(query, limit); path !== undefined;) {
    const page = await read(path);
    assert.ok(page.ids.length <= limit);
    ids.push(...page.ids);
    path = page.next;
  }
  return ids;
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/** A plain filter: everyone with a text that begins with the query, by the least such text and the id. */
function filter(people: readonly Person[], query: string): string[] {
  const places = people.flatMap(({ id, first_name: first, last_name: last, username }) => {
    const texts = [`${first} ${last}`, last, username].map(fold).filter((text) => text.startsWith(fold(query)));
    const [least] = texts.toSorted((a, b) => (a < b ? -1 : 1));
    return least === undefined ? [] : [{ text: least, id }];
  });
  return places.toSorted((a, b) => (`${a.text}\0${a.id}` < `${b.text}\0${b.id}` ? -1 : 1)).map(({ id }) => id);
}

test('the pages of a search have everyone whom a plain filter finds, once and in order', async () => {
  // Few different names, so that many people have equal texts, and texts that begin with each other.
  const pick = (from: readonly string[]): string =>
    `(array[${from.map((one) => `'${one}'`).join()}])[1 + floor(random() * ${from.length} + n * 0)::int]`;
  const names = ['a', 'A', 'aa', 'Ab', 'a b', 'ba', 'b', 'Äb', 'äb a'];
  await addPeople(150, { first: pick(names), last: pick(names), username: `${pick(['a', 'ab', 'b'])} || n` });
  await member();
  const people = await database().sql<Person>(
    'select id, first_name, last_name, username from users join accounts on id = user_id',
  );
  const query = fc.string({ unit: fc.constantFrom('a', 'b', 'B', 'ä', ' ', '1'), minLength: 1, maxLength: 4 });
  const visible = query.filter((text) => text.trim() === text);
  await fc.assert(
    fc.asyncProperty(visible, fc.integer({ min: 1, max: 60 }), async (text, limit) => {
      assert.deepEqual(await readAll(text, limit), filter(people, text));
    }),
    { numRuns: 60 },
  );
});

test('a cursor of another list, or with another text, is refused', async () => {
  const users = await read('/users?limit=1');
  const cursor = /after=(?<cursor>[^&]+)/u.exec(users.next ?? '')?.groups?.['cursor'] ?? '';
  const forged = Buffer.from(`${(await member()).userId}\0`).toString('base64url');
  for (const after of [cursor, 'AAAA', '-', forged, `${forged}=`])
    assert.equal(await (await member()).outcome('GET', `/users?query=a&after=${after}`), '400 invalid_request', after);
});

/** Buffers that a request's statement, which contains this text, reads on the standby. */
async function buffersOf(path: string, part = 'search_last_name'): Promise<number> {
  const count = async (): Promise<number> => {
    const [row] = await database().sqlOnStandby<{ buffers: number }>(
      `select coalesce(sum(shared_blks_hit + shared_blks_read), 0)::int as buffers
         from pg_stat_statements join pg_database on dbid = pg_database.oid
        where datname = current_database() and query like '%' || $1 || '%' and query not like '%pg_stat%'`,
      [part],
    );
    return row?.buffers ?? 0;
  };
  const began = await count();
  await read(path);
  return (await count()) - began;
}

test('among 100,000 accounts, a page of a common prefix costs as much as one of a rare prefix', async () => {
  const limit = 20;
  await database().sql('create extension pg_stat_statements');
  await addPeople(100_000, { first: "'Maria'", last: "'Martin'", username: "'martin' || n" });
  await addPeople(limit, { first: "'Zoltan'", last: "'Yilmaz'", username: "'q' || n" });
  await read(pathOf('zol', limit)); // Plans the statement, which reads the catalogs.
  const rare = await buffersOf(pathOf('zol', limit));
  const first = await read(pathOf('mar', limit));
  const costs = {
    first: await buffersOf(pathOf('mar', limit)),
    second: await buffersOf(first.next ?? ''),
    'other text': await buffersOf(pathOf('martin1', limit)),
  };
  for (const [name, buffers] of Object.entries(costs))
    assert.ok(buffers > 0 && buffers < 1.5 * rare, `${name}: ${buffers} buffers, rare: ${rare}`);
});

test('a page of accounts costs the same at any depth', async () => {
  const [deep] = await database().sql<{ id: string }>(
    'select user_id as id from accounts order by user_id offset 100 limit 1',
  );
  const buffers = async (rest: string): Promise<number> =>
    buffersOf(`/accounts?limit=20${rest}`, 'order by a.user_id desc');
  await buffers(''); // Plans the statement.
  const first = await buffers('');
  const last = await buffers(`&after=${deep?.id}`);
  assert.ok(last > 0 && last < 1.5 * first, `first page: ${first} buffers, deep page: ${last}`);
});
