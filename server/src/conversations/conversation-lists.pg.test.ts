/** 300 conversations of one person among 3,000, with 100,000 messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { QueryResultRow } from 'pg';
import type { Conversation } from '@messenger/protocol/conversations';
import type { Unread } from '@messenger/protocol/reading';

import { useApp } from '../../test/app.ts';
import { signUp, type Client } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { withClient } from '../db/session.ts';
import { sumUnread } from '../messages/reading-reader.ts';
import { selectPage } from './conversation-reader.ts';
import { beforeAll, everyone } from './conversations-sql.ts';
import { selectMembers } from './member-reader.ts';

const database = useDatabase();
const app = useApp(database);

let ada: Client;

/** Of each ten conversations, five are direct, and five are groups of eight; one in twenty-five is a channel of fifty. Three or four of Ada's share an hour. */
const insertConversations = `insert into conversations
    (kind, title, member_count, seq, last_number, active_at, last_sender_id, last_preview, search_title, created_by)
  select case when n / 10 % 25 = 24 then 'channel' when n / 10 % 2 = 0 then 'direct' else 'group' end, n::text, 2, 3, 30,
         '2026-01-01'::timestamptz + n / 10 * interval '17 minutes' + n % 10 * interval '1 second', uuidv7(), repeat('Hello ', 20), null, uuidv7()
    from generate_series(0, 2999) as n`;

/** Ada is in every tenth, reads two thirds of them to the end, and archives one in seven. */
const insertMembers = `insert into members (conversation_id, user_id, role, read_number, archived, listed_at, changed_seq)
  select c.id, case when title::int % 10 = 0 and place = 1 then $1::uuid else people.id end, 'member',
         case when title::int / 10 % 3 = 0 then 20 else 30 end, title::int / 10 % 7 = 0,
         case kind when 'channel' then 'infinity' else date_trunc('hour', active_at) end, 2
    from conversations as c
   cross join lateral generate_series(1, case kind when 'direct' then 2 when 'group' then 8 else 50 end) as place
    join (select id, row_number() over (order by id) as n from users where id <> $1) as people
      on people.n = 1 + (title::int * 37 + place * 11) % 2000`;

const insertMentions = `insert into mentions (user_id, conversation_id, number, sender_id)
  select case when number % 2 = 0 then $1::uuid else '${everyone}' end, id, number, uuidv7()
    from conversations cross join generate_series(10, 30, 5) as number where title::int % 20 = 0`;

const insertMessages = `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
  select id, number, uuidv7(), last_sender_id, repeat('word ', 20), '', number
    from conversations cross join generate_series(1, 34) as number`;

test('one person has 300 conversations', async () => {
  ada = await signUp(app(), 'ada');
  const sql = async <Row extends QueryResultRow>(text: string, values?: string[]) => database().sql<Row>(text, values);
  await sql(`insert into users (first_name, last_name, has_account)
             select 'Person', n::text, true from generate_series(1, 2000) as n`);
  await sql(insertConversations);
  await sql(insertMembers, [ada.userId]);
  await sql(`update members as m set other_id = o.user_id from members as o, conversations as c
              where c.kind = 'direct' and c.id = m.conversation_id and o.conversation_id = c.id and o.user_id <> m.user_id`);
  await sql(insertMentions, [ada.userId]);
  await sql('vacuum analyze');
  const [row] = await sql<{ n: string }>('select count(*) as n from members where user_id = $1', [ada.userId]);
  assert.equal(row?.n, '300');
});

async function walk(query: string): Promise<Conversation[]> {
  const seen: Conversation[] = [];
  let path: string | undefined = `/conversations?${query}`;
  while (path !== undefined) {
    const page = await ada.call('GET', path);
    seen.push(...page.json<Conversation[]>());
    path = /<\/api\/v1(?<next>[^>]+)>/u.exec(String(page.headers.link))?.groups?.['next'];
  }
  return seen;
}

const filters = {
  'limit=30': '',
  'limit=1&archived=true': 'and archived',
  'limit=7&archived=false': 'and not archived',
  'limit=200': '',
};

test('pages show each conversation once, newest activity first', async () => {
  await database().replicated();
  for (const [query, filter] of Object.entries(filters)) {
    const expected = await database().sql<{ id: string }>(
      `select id from conversations join members on conversation_id = id
        where user_id = $1 ${filter} order by active_at desc, id desc`,
      [ada.userId],
    );
    const seen = await walk(query);
    assert.deepEqual(
      seen.map(({ id }) => id),
      expected.map(({ id }) => id),
      query,
    );
  }
});

test('each has its head: the other person, the last message, what is unread, and mentions', async () => {
  const all = await walk('limit=200');
  assert.deepEqual(
    { ...all[0]?.last_message, sender_id: '' },
    { number: 30, sender_id: '', preview: 'Hello '.repeat(20), created_at: all[0]?.active_at },
  );
  const unread = all.filter(({ me }) => me.unread > 0);
  assert.deepEqual([all.length, unread.length], [300, 100]);
  assert.ok(unread.every(({ me }) => me.unread === 10));
  const mentioned = unread.filter(({ me }) => me.unread_mentions > 0);
  assert.ok(mentioned.every(({ me, title }) => me.unread_mentions === 2 && Number(title) % 20 === 0));
  assert.equal(mentioned.length, 50);
  const direct = all.filter(({ kind }) => kind === 'direct');
  assert.ok(direct.every(({ other }) => other?.first_name === 'Person'));
  assert.equal(direct.length, 144);
});

interface Plan {
  readonly 'QUERY PLAN': readonly { readonly Plan: Record<string, number> }[];
}

interface Measured {
  readonly pages: number;
  readonly plan: string;
}

/** Pages of the cache that a prepared statement reads, and its plan: a custom and a generic one. */
async function measure({ text: statement }: { readonly text: string }, values: string): Promise<Measured[]> {
  const settings = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  return await withClient(database().direct.write, settings, async (client) => {
    await client.query(`prepare page as ${statement}`);
    const measured: Measured[] = [];
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`set plan_cache_mode = ${mode}`);
      const text = `explain (analyze, buffers, format json) execute page(${values})`;
      await client.query(text);
      const [row] = (await client.query<Plan>(text)).rows;
      const { 'Shared Hit Blocks': hit = 0, 'Shared Read Blocks': read = 0 } = row?.['QUERY PLAN'][0]?.Plan ?? {};
      measured.push({ pages: hit + read, plan: JSON.stringify(row) });
    }
    return measured;
  });
}

async function countBuffers(...statement: Parameters<typeof measure>): Promise<number[]> {
  return (await measure(...statement)).map(({ pages }) => pages);
}

test('the first page is one statement and reads at most 200 pages of the cache, with any number of messages', async () => {
  const firstPage = `'${ada.userId}', 30, null, null, null`;
  const before = await countBuffers(selectPage, firstPage);
  for (const count of before) assert.ok(count > 30 && count <= 200, `${count} pages`);
  for (const { plan } of await measure(selectPage, firstPage)) {
    assert.match(plan, /"Relation Name":"conversations"/u);
    assert.doesNotMatch(plan, /"Relation Name":"messages"/u);
  }
  await database().sql('drop index messages_search_idx');
  await database().sql(insertMessages);
  await database().sql('vacuum analyze messages');
  assert.deepEqual(await countBuffers(selectPage, firstPage), before);
});

test('the sums of 300 unread conversations with 750 mentions read at most 2,600 pages of the cache', async () => {
  await database().sql('update members set read_number = 0 where user_id = $1', [ada.userId]);
  await database().sql('insert into blocks (user_id, blocked_id) select $1, uuidv7() from generate_series(1, 50)', [
    ada.userId,
  ]);
  await database().sql('vacuum analyze members, blocks');
  const { conversations, mentions } = (await ada.call('GET', '/unread')).json<Unread>();
  assert.deepEqual([conversations, mentions], [300, 150 * 5]);
  for (const count of await countBuffers(sumUnread, `'${ada.userId}'`)) assert.ok(count <= 2_600, `${count} pages`);
});

test('the last page of many members costs as much as the first', async () => {
  const body = { kind: 'channel', title: 'Many' };
  const { id } = (await ada.call('POST', '/conversations', body)).json<Conversation>();
  const ids = await database().sql<{ user_id: string }>(
    `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
     select $1, gen_random_uuid(), 'reader', 'infinity', 3 from generate_series(1, 20000) returning user_id`,
    [id],
  );
  await database().sql('vacuum analyze members');
  const last =
    ids
      .map(({ user_id: one }) => one)
      .toSorted()
      .at(-20) ?? assert.fail();
  const first = await countBuffers(selectMembers, `'${id}', '${ada.userId}', 20, '${beforeAll}'`);
  const deep = await countBuffers(selectMembers, `'${id}', '${ada.userId}', 20, '${last}'`);
  for (const count of [...first, ...deep]) assert.ok(count > 20 && count < 120, `${count} pages`);
});
