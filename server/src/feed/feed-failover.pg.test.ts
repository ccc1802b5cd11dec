import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Client } from 'pg';
import { pino } from 'pino';

import { startTestFeed, type TestFeed, type TestWorker } from '../../test/feed.ts';
import { waitFor } from '../../test/wait-for.ts';
import { migrateUp } from '../db/migrations.ts';
import { roles } from '../embedded/settings.ts';
import { TestServer } from '../embedded/test-server.ts';
import { migrationsDir } from '../prepare-databases.ts';

let primary: TestServer;
let standby: TestServer;
let feed: TestFeed;
let worker: TestWorker;
const conversation = randomUUID();
let sent = 0;

/** Inserts the next message; returns its number. */
async function send(server: TestServer): Promise<string> {
  sent += 1;
  const number = String(sent);
  await server.sql(
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq) values ($1, $2, $3, $3, '', '\\x00', $2)`,
    [conversation, number, randomUUID()],
  );
  return number;
}

const told = (): (string | null | undefined)[] =>
  worker.commits.flatMap(({ rows }) => rows.map(({ values }) => values['number']));

before(async () => {
  primary = await TestServer.createPrimary();
  const log = pino({ level: 'silent' });
  await migrateUp({ endpoint: primary.endpoint, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  standby = await TestServer.createStandby(primary);
  feed = await startTestFeed({ write: primary.endpoint, otherWrites: [standby.endpoint] });
  worker = feed.worker();
  await worker.link.follow(`conversation_id:${conversation}`);
  await waitFor('the feed to be live', () => worker.link.isLive);
});

after(async () => {
  await feed.close();
  await standby.remove();
  await primary.remove();
});

test('a running transaction delays the start of a feed, but not its stop', async () => {
  const { host, port, database } = primary.endpoint;
  const holder = new Client({ host, port, database, user: roles.superuser });
  await holder.connect();
  await holder.query('set idle_in_transaction_session_timeout = 0');
  await holder.query('begin');
  await holder.query('select pg_current_xact_id()');
  const waiting = async (): Promise<number> => {
    const sql = `select 1 from pg_stat_activity where application_name = 'messenger feed' and query like 'CREATE_REPLICATION%' and state = 'active'`;
    return (await primary.sql(sql)).length;
  };
  const delayed = await startTestFeed({ write: primary.endpoint });
  const early = delayed.worker();
  await waitFor('the slot to wait', async () => (await waiting()) === 1);
  const beganMs = performance.now();
  await delayed.close();
  assert.ok(performance.now() - beganMs < 10_000);
  assert.deepEqual(early.gaps, []);
  await waitFor('the end of its session', async () => (await waiting()) === 0);
  const next = await startTestFeed({ write: primary.endpoint });
  const later = next.worker();
  await waitFor('the slot to wait', async () => (await waiting()) === 1);
  await holder.query('commit');
  await waitFor('the feed to be live', () => later.gaps.length === 1);
  await next.close();
  await holder.end();
});

test('a commit that waits for a standby is not delivered before statements see it', async () => {
  const set = async (name: string): Promise<void> => {
    await primary.sql(`alter system set synchronous_standby_names = '${name}'`);
    await primary.sql('select pg_reload_conf()');
  };
  await set('nobody');
  const known = told().length;
  const waiting = send(primary);
  await waitFor('the commit to wait', async () => {
    const sql = `select 1 from pg_stat_activity where wait_event = 'SyncRep'`;
    return (await primary.sql(sql)).length === 1;
  });
  // The log has the commit, and its sender has sent it.
  await waitFor('the sender', async () => {
    const sql = `select 1 from pg_stat_replication where application_name = 'messenger feed' and sent_lsn >= pg_current_wal_flush_lsn()`;
    return (await primary.sql(sql)).length === 1;
  });
  const [row] = await primary.sql('select 1 from messages where number = $1', [sent]);
  assert.deepEqual([row, told().length], [undefined, known]);
  await set('');
  const number = await waiting;
  await waitFor('the message', () => told().includes(number));
});

test('after a crash of the primary, followers are told of a gap, and later commits arrive', async () => {
  const gaps = worker.gaps.length;
  await primary.kill();
  await waitFor('the end of the connection', () => !worker.link.isLive);
  await primary.start();
  const missed = await send(primary);
  await waitFor('the gap', () => worker.gaps.length > gaps);
  const rows = await primary.sql<{ number: string }>('select number::text from messages');
  assert.ok(rows.some(({ number }) => number === missed) || told().includes(missed));
  const number = await send(primary);
  await waitFor('the message', () => told().includes(number));
});

test('when another server becomes the primary, the feed follows its log', async () => {
  const gaps = worker.gaps.length;
  const timeline = worker.gaps.at(-1)?.timeline ?? assert.fail();
  await waitFor(
    'replication',
    async () => (await standby.sql('select 1 from messages where number = $1', [sent])).length === 1,
  );
  await primary.kill();
  await standby.promote();
  await waitFor('the gap', () => worker.gaps.length > gaps);
  assert.equal(worker.gaps.at(-1)?.timeline, timeline + 1);
  const number = await send(standby);
  await waitFor('the message', () => told().includes(number));
  assert.equal(worker.commits.at(-1)?.position.timeline, timeline + 1);
});

test('a former primary that still takes writes is left, when its standby was promoted', async () => {
  await primary.follow(standby);
  await waitFor(
    'a standby again',
    async () => (await primary.sql('select 1 from messages where number = $1', [sent])).length === 1,
  );
  await primary.promote();
  // Both are writable now; the newer timeline counts.
  const timeline = worker.gaps.at(-1)?.timeline ?? assert.fail();
  await waitFor('the other server', () => worker.gaps.at(-1)?.timeline === timeline + 1);
  const number = await send(primary);
  await waitFor('the message', () => told().includes(number));
});
