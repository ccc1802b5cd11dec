/** Two standbys: each serves only what it has replayed, and the loss of one fails no read. Under load: test/freshness.e2e.ts. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import type { Standby, StandbyState } from '../db/standby.ts';
import { TestServer } from '../embedded/test-server.ts';

const database = useDatabase();
let second: TestServer;
let app: App;
/** Their states in the app. */
let one: Standby;
let other: Standby;

before(async () => {
  const { endpoints } = await database.created;
  second = await TestServer.createStandby({ endpoint: endpoints.write });
  database.beforeDrop(async () => second.removeFrom(endpoints.write));
});

/** A separate app for each test, with its context. */
async function serve(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { write, read } = database().endpoints;
  app = await createTestApp({ write, reads: [read, second.endpoint] }, { env });
  const [first, last] = app.databases.standbys.all;
  assert(first && last);
  [one, other] = [first, last];
  // Other test files pause the replay of the first, too.
  await Promise.all([becomes(one, 'fit'), becomes(other, 'fit')]);
}

async function close(): Promise<void> {
  await app.http.close();
  await app.close();
}

async function becomes(standby: Standby, state: StandbyState): Promise<void> {
  await waitFor(`the standby to be ${state}`, () => standby.state === state);
}

/** Sixteen clients read sequentially until stopped. Resolves with the number of reads. */
async function readUntil(ended: AbortSignal, id: string): Promise<number> {
  const users = usersOf(app);
  let reads = 0;
  const read = async (): Promise<void> => {
    for (; !ended.aborted; reads += 1) await users.get(id, someone());
  };
  await Promise.all(Array.from({ length: 16 }, read));
  return reads;
}

async function createUser(): Promise<string> {
  const { id } = await usersOf(app).create({ first_name: 'Ada', last_name: 'Lovelace' }, someone());
  await database().replicated();
  return id;
}

async function answeredBy(standby: Standby, count: number): Promise<void> {
  const until = standby.load.answered + count;
  await waitFor(`${count} answers of a standby`, () => standby.load.answered >= until);
}

test('reads are spread over both; a lagging one gets none until it has caught up', async (t) => {
  await serve({ DB_READ_MAX_LAG_MS: '300' });
  t.after(close);
  const id = await createUser();
  const end = new AbortController();
  const reading = readUntil(end.signal, id);
  t.after(async () => second.sql('select pg_wal_replay_resume()'));
  try {
    await Promise.all([answeredBy(one, 500), answeredBy(other, 500)]);
    await second.sql('select pg_wal_replay_pause()');
    await database().sql('create table written_meanwhile ()');
    await becomes(other, 'late');
    const [late, onPrimary] = [other.load.answered, app.databases.reads.outcomes.primaryForAbsence];
    // Reads sent before its lag was detected are still answered there.
    await waitFor('the last answers', () => other.load.inFlight === 0);
    const last = other.load.answered;
    assert.ok(last - late <= 16);
    await answeredBy(one, 500);
    assert.equal(other.load.answered, last);
    assert.equal(app.databases.reads.outcomes.primaryForAbsence, onPrimary);
    await second.sql('select pg_wal_replay_resume()');
    await becomes(other, 'fit');
    await answeredBy(other, 500);
  } finally {
    end.abort();
    await reading;
  }
});

test('a killed standby fails no read, and gets reads again when it is back', async (t) => {
  await serve();
  t.after(close);
  const id = await createUser();
  const end = new AbortController();
  const reading = readUntil(end.signal, id);
  try {
    await answeredBy(other, 500);
    await second.kill();
    await becomes(other, 'away');
    await answeredBy(one, 500);
    await second.start();
    await becomes(other, 'fit');
    await answeredBy(other, 500);
  } finally {
    end.abort();
  }
  assert.ok((await reading) > 1_500, 'none of them was refused');
  assert.equal(app.databases.reads.outcomes.primaryForAbsence, 0, 'the other standby was asked, not the primary');
});

test('a new worker does not read from a standby that lagged before it started', async (t) => {
  await second.sql('select pg_wal_replay_pause()');
  t.after(async () => second.sql('select pg_wal_replay_resume()'));
  await waitFor('replay to pause', async () => {
    const [row] = await second.sql<{ state: string }>('select pg_get_wal_replay_pause_state() as state');
    return row?.state === 'paused';
  });
  await database().sql("insert into users (first_name, last_name) values ('Ada', 'written before')");
  app = await createTestApp({ write: database().endpoints.write, reads: [second.endpoint] });
  t.after(close);
  const isComplete = async (): Promise<boolean> =>
    (await usersOf(app).list({ limit: 1 }, someone())).users[0]?.last_name === 'written before';
  assert.ok(await isComplete());
  assert.equal(app.databases.reads.outcomes.standby, 0);
  await second.sql('select pg_wal_replay_resume()');
  const { outcomes } = app.databases.reads;
  await waitFor('the standby to be read from', async () => (await isComplete()) && outcomes.standby > 0);
});

test('a promoted standby gets no reads', async (t) => {
  await serve();
  t.after(close);
  const id = await createUser();
  await second.sql('select pg_promote()');
  await becomes(other, 'foreign');
  const known = other.load.answered;
  for (let read = 0; read < 20; read += 1) await usersOf(app).get(id, someone());
  assert.equal(other.load.answered, known);
  assert.equal(one.state, 'fit');
});
