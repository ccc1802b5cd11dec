/** A worker during changes of its servers' roles, on its own pair. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { createTestApp } from '../../test/app.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import { TestServer } from '../embedded/test-server.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { createLog } from '../telemetry/log.ts';
import { migrateUp } from './migrations.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });
const users = '/api/v1/users';

let primary: TestServer;
let standby: TestServer;
let app: App;

before(async () => {
  primary = await TestServer.createPrimary();
  await migrateUp({ endpoint: primary.endpoint, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  standby = await TestServer.createStandby(primary);
});

after(async () => {
  await primary.remove();
  await standby.remove();
});

beforeEach(async () => {
  const [write, other] = [primary.endpoint, standby.endpoint];
  app = await createTestApp({ write, otherWrites: [other], reads: [write, other] });
});

afterEach(async () => {
  await app.http.close();
  await app.close();
});

interface Answer {
  readonly status: number;
  readonly id: string;
  readonly token: string | undefined;
}

async function create(): Promise<Answer> {
  const payload = { first_name: 'Ada', last_name: 'Lovelace' };
  const answer = await app.http.inject({ method: 'POST', url: users, payload });
  const id = /"id":"([^"]+)"/u.exec(answer.body)?.[1] ?? '';
  const token = answer.headers['consistency-token'];
  return { status: answer.statusCode, id, token: typeof token === 'string' ? token : undefined };
}

async function get({ id, token }: Answer): Promise<number> {
  const headers = token === undefined ? {} : { 'consistency-token': token };
  return (await app.http.inject({ url: `${users}/${id}`, headers })).statusCode;
}

async function ready(): Promise<number> {
  return (await app.http.inject('/readyz')).statusCode;
}

async function makeReadOnly(server: TestServer, isReadOnly: boolean): Promise<void> {
  await server.sql(`alter system set default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`);
  await server.sql('select pg_reload_conf()');
}

/** The open sessions of a pool's application on a server. */
async function sessionsOf(server: TestServer): Promise<number> {
  const rows = await server.sql<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
      where application_name like 'messenger write worker%' and query not like '%"readOnly"%'`,
  );
  return rows[0]?.n ?? 0;
}

test('while the primary is read-only, writes fail, the server is not ready, and reads continue', async () => {
  const written = await create();
  assert.equal(written.status, 201);
  assert.equal(await ready(), 200);
  await makeReadOnly(primary, true);
  await waitFor('the server to be unready', async () => (await ready()) === 503);
  assert.equal((await create()).status, 503);
  assert.equal(await get(written), 200);
  await makeReadOnly(primary, false);
  await waitFor('the server to be ready', async () => (await ready()) === 200);
  assert.equal((await create()).status, 201);
});

test('a write that fails in a read-only session is repeated over a new connection', async () => {
  const written = await create();
  // Only the sessions that are open now: the topology's knowledge of the server does not change.
  const { writePool } = app.databases;
  await writePool.query({ name: 'test.read_only', text: 'set default_transaction_read_only = on' }, []);
  assert.equal((await create()).status, 201);
  assert.equal(await get(written), 200);
});

test('a promoted standby gets writes and reads at once, and no connection to the old primary stays open', async () => {
  const known = await create();
  await waitFor('the standby to have the user', async () => {
    return (await standby.sql('select from users where id = $1', [known.id])).length > 0;
  });
  await standby.promote();
  const answered = await waitForWrite();
  assert.equal(app.databases.topology.primary?.server.place, `127.0.0.1:${standby.endpoint.port}`);
  assert.equal(await get(answered), 200);
  assert.equal(await get({ ...answered, token: undefined }), 200, 'without a token');
  assert.equal(await get(known), 200, 'with a token of the timeline before');
  await waitFor('the old sessions to close', async () => (await sessionsOf(primary)) === 0);
  await primary.follow(standby);
  const outcomes = app.databases.reads.outcomes;
  await waitFor('reads from the standby of the new primary', async () => {
    const count = outcomes.standby;
    await get({ ...answered, token: undefined });
    return outcomes.standby > count && app.databases.standbys.all.some((one) => one.isFit && !one.isPrimary);
  });
});

async function waitForWrite(): Promise<Answer> {
  let answer = await create();
  await waitFor('a write on the new primary', async () => {
    // A write that was refused during the promotion has no id.
    const rows = answer.id === '' ? [] : await standby.sql('select from users where id = $1', [answer.id]);
    if (rows.length > 0) return true;
    answer = await create();
    return false;
  });
  return answer;
}
