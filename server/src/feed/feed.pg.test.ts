import assert from 'node:assert/strict';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { before, test } from 'node:test';

import { Client } from 'pg';

import { useDatabase } from '../../test/database.ts';
import { startTestFeed, type TestFeed, type TestWorker } from '../../test/feed.ts';
import { waitFor } from '../../test/wait-for.ts';
import { covers } from '../db/position.ts';
import { roles } from '../embedded/settings.ts';
import { feedTables } from '../feed-tables.ts';
import { findFeedProblems } from './capability.ts';
import type { FeedCommit, FeedRow } from './feed.ts';
import { encodeFrame } from './frames.ts';

const database = useDatabase();
let feed: TestFeed;
before(async () => {
  feed = await startTestFeed((await database.created).direct);
});
database.beforeDrop(async () => feed.close());

async function connectAs(where: 'write' | 'read'): Promise<Client> {
  const { host, port, database: name } = database().direct[where];
  const client = new Client({ host, port, database: name, user: roles.superuser });
  await client.connect();
  return client;
}

async function liveWorker(): Promise<TestWorker> {
  const worker = feed.worker();
  await waitFor('the feed to be live', () => worker.gaps.length > 0);
  return worker;
}

async function makeConversation(): Promise<string> {
  const [row] = await database().sql<{ id: string }>("insert into conversations (kind) values ('group') returning id");
  return row?.id ?? assert.fail();
}

/** Like a send: takes the next number under the lock of the conversation. */
async function insertMessage(client: Pick<Client, 'query'>, conversation: string, body = 'grüß 👋'): Promise<void> {
  await client.query('select from conversations where id = $1 for update', [conversation]);
  await client.query(
    `with moved as (update conversations set seq = seq + 1, last_number = last_number + 1 where id = $1 returning seq, last_number)
     insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
     select $1, last_number, $2, $2, $3, '\\x00', seq from moved`,
    [conversation, randomUUID(), body],
  );
}

const messagesOf = (commits: readonly FeedCommit[], conversation: string): Record<string, string | null>[] =>
  commits.flatMap(({ rows }) =>
    rows.flatMap(({ table, values }) =>
      table === 'messages' && values['conversation_id'] === conversation ? [{ ...values }] : [],
    ),
  );

test('every committed row arrives once and in order, and no row of an aborted transaction', async () => {
  const worker = await liveWorker();
  const conversations = await Promise.all(Array.from({ length: 4 }, makeConversation));
  for (const id of conversations) {
    await worker.link.follow(`conversation_id:${id}`);
    await worker.link.follow(`id:${id}`);
  }
  const write = async (): Promise<void> => {
    const client = await connectAs('write');
    for (let n = 0; n < 40; n += 1) {
      await client.query('begin');
      for (const id of conversations.filter(() => randomInt(2) === 0)) {
        await insertMessage(client, id);
        await client.query('savepoint later');
        await insertMessage(client, id, 'of a savepoint');
        await client.query(randomInt(2) === 0 ? 'rollback to later' : 'release later');
      }
      await client.query(randomInt(3) === 0 ? 'rollback' : 'commit');
    }
    await client.end();
  };
  await Promise.all(Array.from({ length: 5 }, write));
  const seqs = async (id: string) =>
    (
      await database().sql<{ seq: string; body: string }>(
        'select changed_seq::text as seq, body from messages where conversation_id = $1 order by changed_seq',
        [id],
      )
    ).map(({ seq, body }) => `${seq} ${body}`);
  for (const id of conversations) {
    const stored = await seqs(id);
    assert.ok(stored.length > 0);
    await waitFor('all messages', () => messagesOf(worker.commits, id).length >= stored.length);
    const told = messagesOf(worker.commits, id).map((one) => `${one['changed_seq']} ${one['body']}`);
    assert.deepEqual(told, stored);
  }
  const lsns = worker.commits.map(({ position }) => position.lsn);
  assert.deepEqual(
    lsns,
    lsns.toSorted((a, b) => Number(a - b)),
  );
  assert.equal(worker.gaps.length, 1);
});

test('a commit that arrives is visible to reads on the primary at once, and on a standby that covers its position', async () => {
  const worker = await liveWorker();
  const id = await makeConversation();
  await worker.link.follow(`conversation_id:${id}`);
  const [primary, standby] = await Promise.all([connectAs('write'), connectAs('read')]);
  const find = 'select 1 from messages where conversation_id = $1 and number = $2';
  const hidden: string[] = [];
  let checked = 0;
  const checks: Promise<void>[] = [];
  const check = async ({ position, rows }: FeedCommit): Promise<void> => {
    const number = rows[0]?.values['number'];
    // Sent in the turn of the delivery.
    const onPrimary = primary.query(find, [id, number]);
    if ((await onPrimary).rowCount !== 1) hidden.push(`${number} on the primary`);
    const replayed = "select pg_last_wal_replay_lsn() >= '0/0'::pg_lsn + $1::numeric as done";
    await waitFor(
      'replay',
      async () => (await standby.query<{ done: boolean }>(replayed, [position.lsn])).rows[0]?.done === true,
    );
    if ((await standby.query(find, [id, number])).rowCount !== 1) hidden.push(`${number} on the standby`);
    checked += 1;
  };
  worker.handle = (commit) => void checks.push(check(commit));
  const writer = await connectAs('write');
  for (let n = 0; n < 100; n += 1) {
    await writer.query('begin');
    await insertMessage(writer, id);
    await writer.query('commit');
  }
  await waitFor('all commits', () => worker.commits.length === 100);
  await Promise.all(checks);
  await Promise.all([primary.end(), standby.end(), writer.end()]);
  assert.deepEqual([checked, hidden], [100, []]);
});

test('a large value that an update leaves alone is missing, never empty', async () => {
  const worker = await liveWorker();
  const id = await makeConversation();
  await worker.link.follow(`conversation_id:${id}`);
  const client = await connectAs('write');
  const body = randomBytes(6_000).toString('base64');
  await insertMessage(client, id, body);
  await client.query(`update messages set reactions = '{}', changed_seq = 2 where conversation_id = $1`, [id]);
  await client.end();
  await waitFor('both changes', () => messagesOf(worker.commits, id).length === 2);
  const [inserted = {}, updated = {}] = messagesOf(worker.commits, id);
  assert.equal(inserted['body'], body);
  assert.deepEqual(['body' in updated, updated['reactions'], updated['edited_at']], [false, '{}', null]);
});

const isLater = ({ table, kind }: FeedRow): boolean => table !== 'accounts' || kind !== 'insert';

test('the end of a session names its user, and no row has a secret', async () => {
  const worker = await liveWorker();
  const [user] = await database().sql<{ id: string }>(
    `insert into accounts (user_id, username, password_hash, search_name, search_last_name) values (gen_random_uuid(), 'ada', 'x', '', '') returning user_id as id`,
  );
  const id = user?.id ?? assert.fail();
  await worker.link.follow(`user_id:${id}`);
  await database().sql(
    `insert into sessions (user_id, token_hash, expires_at, user_agent, address) values ($1, sha256('1'), now(), '', '')`,
    [id],
  );
  await database().sql('update accounts set disabled_at = now() where user_id = $1', [id]);
  await database().sql('delete from sessions where user_id = $1', [id]);
  // The account may arrive, too: the feed can be behind when it is followed.
  const told = (): FeedRow[] => worker.commits.flatMap((one) => one.rows).filter(isLater);
  await waitFor('three rows', () => told().length === 3);
  const rows = told();
  assert.deepEqual(
    rows.map(({ table, kind, values }) => [table, kind, values['user_id']]),
    [
      ['sessions', 'insert', id],
      ['accounts', 'update', id],
      ['sessions', 'delete', id],
    ],
  );
  const columns = new Set(rows.flatMap(({ values }) => Object.keys(values)));
  assert.ok(!columns.has('token_hash') && !columns.has('password_hash'));
});

test('an ephemeral message reaches those who follow its key, without a commit', async () => {
  const [follower, other] = [await liveWorker(), await liveWorker()];
  const id = randomUUID();
  await follower.link.follow(`conversation_id:${id}`);
  await other.link.follow(`conversation_id:${randomUUID()}`);
  const content = JSON.stringify({ key: `conversation_id:${id}`, op: 'typing' });
  const client = await connectAs('write');
  await client.query('begin');
  for (const text of ['not JSON', content])
    await client.query(`select pg_logical_emit_message(false, 'messenger', $1, true)`, [text]);
  await waitFor('the message', () => follower.messages.length > 0);
  await client.query('rollback');
  await client.end();
  assert.deepEqual([follower.messages, other.messages], [[content], []]);
});

test('rows go only to workers that follow them, until they stop', async () => {
  const [first, second] = [await liveWorker(), await liveWorker()];
  const [one, two] = [await makeConversation(), await makeConversation()];
  await first.link.follow(`conversation_id:${one}`);
  await first.link.follow(`conversation_id:${two}`);
  await second.link.follow(`conversation_id:${two}`);
  const client = await connectAs('write');
  const both = async (): Promise<void> => {
    await client.query('begin');
    for (const id of [one, two].toSorted()) await insertMessage(client, id);
    await client.query('commit');
  };
  await both();
  await waitFor('the rows', () => first.commits.length === 1 && second.commits.length === 1);
  assert.deepEqual([first.commits[0]?.rows.length, second.commits[0]?.rows.length], [2, 1]);
  first.link.unfollow(`conversation_id:${one}`);
  await first.link.follow(`conversation_id:${two}`);
  await both();
  await waitFor('the rows', () => first.commits.length === 2);
  assert.deepEqual([first.commits[1]?.rows.length, messagesOf(first.commits, one).length], [1, 1]);
  await client.end();
});

test('a terminated connection to the log is a gap; what was missed can be read, and the rest arrives', async () => {
  const worker = await liveWorker();
  const id = await makeConversation();
  await worker.link.follow(`conversation_id:${id}`);
  const client = await connectAs('write');
  await insertMessage(client, id);
  await waitFor('the message', () => worker.commits.length === 1);
  await client.query(
    `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and slot_type = 'logical'`,
  );
  for (let n = 0; n < 30; n += 1) await insertMessage(client, id);
  await waitFor('the gap', () => worker.gaps.length === 2);
  const { rows } = await client.query<{ number: string }>(
    'select number::text from messages where conversation_id = $1',
    [id],
  );
  for (let n = 0; n < 5; n += 1) await insertMessage(client, id);
  await waitFor('later messages', () => messagesOf(worker.commits, id).at(-1)?.['number'] === '36');
  const known = new Set([
    ...rows.map(({ number }) => number),
    ...messagesOf(worker.commits, id).map((one) => one['number']),
  ]);
  assert.equal(known.size, 36);
  const slots = `select 1 from pg_replication_slots where database = current_database()`;
  assert.equal((await client.query(slots)).rowCount, 1);
  await client.end();
});

test('a frozen worker delays no other, costs bounded memory, and is told of a gap when it reads again', async () => {
  const worker = await liveWorker();
  const id = await makeConversation();
  await worker.link.follow(`conversation_id:${id}`);
  const frozen = connect(feed.path);
  frozen.write(encodeFrame(['follow', 1, [`conversation_id:${id}`]]));
  frozen.write(encodeFrame(['join']));
  frozen.pause();
  const client = await connectAs('write');
  const body = 'x'.repeat(400_000);
  const gaps = (): number =>
    feed.feed.measure().messenger_feed_gaps_total?.find(({ labels }) => labels[0] === 'worker')?.values[0] ?? 0;
  let sent = 0;
  while (gaps() === 0) {
    await insertMessage(client, id, body);
    sent += 1;
    assert.ok(sent < 100, 'the queue of a frozen worker has a bound');
  }
  await waitFor('all messages at the other worker', () => worker.commits.length === sent);
  let text = '';
  frozen.on('data', (chunk: Buffer) => (text = `${text.slice(-100)}${chunk.toString('latin1')}`));
  frozen.resume();
  await waitFor('the gap', () => text.includes('["gap",'));
  frozen.destroy();
  await client.end();
});

test('a transaction that is too large is a gap', async () => {
  const worker = await liveWorker();
  const id = await makeConversation();
  await worker.link.follow(`conversation_id:${id}`);
  await database().sql(
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
     select $1, n, gen_random_uuid(), $1, repeat('x', 500000), '\\x00', n from generate_series(1, 40) n`,
    [id],
  );
  await waitFor('the gap', () => worker.gaps.length === 2);
  assert.deepEqual(worker.commits, []);
  const client = await connectAs('write');
  await client.query('delete from messages where conversation_id = $1', [id]);
  await insertMessage(client, id);
  await client.end();
  await waitFor('the next commits', () => worker.commits.length === 2);
  const last = worker.gaps.at(-1);
  assert.ok(last !== undefined && worker.commits.every(({ position }) => covers(position, last)));
});

test('the publication has every column of the tables but those that are left out, and every key survives a delete', async () => {
  const ask = async <Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]> =>
    database().sql<Row & Record<string, unknown>>(sql, values);
  assert.deepEqual(await findFeedProblems({ ask }, roles.replication, feedTables), []);
  for (const { name, keys, without } of feedTables) {
    const [published] = await database().sql<{ columns: string[] }>(
      `select attnames::text[] as columns from pg_publication_tables where pubname = 'messenger' and tablename = $1`,
      [name],
    );
    assert.deepEqual(
      published?.columns.filter((one) => without.includes(one)),
      [],
      name,
    );
    const identity = await database().sql<{ name: string }>(
      `select attname as name from pg_index join pg_class c on c.oid = indrelid
       join pg_attribute a on a.attrelid = c.oid and a.attnum = any (indkey)
       where c.relname = $1 and case relreplident when 'd' then indisprimary when 'i' then indisreplident end`,
      [name],
    );
    const names = identity.map((one) => one.name);
    assert.ok(
      keys.every((key) => names.includes(key)),
      `${name} is identified by ${names.join()}`,
    );
  }
  await database().sql('alter table blocks add column reason text');
  const [problem] = await findFeedProblems({ ask }, roles.application, feedTables);
  assert.match(problem?.found ?? '', /messenger_app may not replicate/u);
  const [, lacks] = await findFeedProblems({ ask }, roles.application, feedTables);
  assert.match(lacks?.found ?? '', /lacks blocks\.reason/u);
  const statement = lacks?.advice.replace(/^.*?: /u, '') ?? assert.fail();
  await database().sql(statement);
  assert.deepEqual(await findFeedProblems({ ask }, roles.replication, feedTables), []);
  await database().sql('drop publication messenger');
  const [none] = await findFeedProblems({ ask }, roles.replication, feedTables);
  assert.match(none?.found ?? '', /no publication/u);
  await database().sql(none?.advice.replace(/^.*?: /u, '') ?? assert.fail());
  assert.deepEqual(await findFeedProblems({ ask }, roles.replication, feedTables), []);
});
