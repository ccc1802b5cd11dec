import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import { Value } from 'typebox/value';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { withClient } from '../db/session.ts';
import { Listeners } from './listeners.ts';

const database = useDatabase();
const users = '/api/v1/users';
const names = { first_name: 'A', last_name: 'B' };

async function withApp(
  servers: { readonly write?: object; readonly read?: object },
  env: Readonly<Record<string, string>>,
  use: (app: Awaited<ReturnType<typeof createTestApp>>) => Promise<void>,
): Promise<void> {
  const { write, read } = database().endpoints;
  const app = await createTestApp(
    { write: { ...write, ...servers.write }, read: { ...read, ...servers.read } },
    { env, maxOpen: 1 },
  );
  try {
    await use(app);
  } finally {
    await app.http.close();
    await app.close();
  }
}

const away = { host: '/nonexistent' };

test('without the primary, writes are a 503 with Retry-After, reads continue, and /readyz has the reason', async () => {
  await withApp({ write: away }, {}, async ({ http }) => {
    const write = await http.inject({ method: 'POST', url: users, payload: names });
    assert.equal(write.statusCode, 503);
    assert.equal(Value.Parse(Problem, write.json()).code, 'database_unavailable');
    assert.match(String(write.headers['retry-after']), /^[1-5]$/u);
    assert.equal((await http.inject({ method: 'GET', url: users })).statusCode, 200);
    const ready = await http.inject({ method: 'GET', url: '/readyz' });
    assert.equal(ready.statusCode, 503);
    assert.equal(Value.Parse(Problem, ready.json()).reason, 'primary_unavailable');
    assert.doesNotMatch(ready.body, /nonexistent|ENOENT/u);
    assert.equal((await http.inject({ method: 'GET', url: '/livez' })).statusCode, 200);
  });
});

test('without the standby, the primary serves all requests', async () => {
  await withApp({ read: away }, {}, async ({ http }) => {
    const created = await http.inject({ method: 'POST', url: users, payload: names });
    assert.equal(created.statusCode, 201);
    const token = String(created.headers['consistency-token']);
    for (const headers of [{}, { 'consistency-token': token }]) {
      assert.equal((await http.inject({ method: 'GET', url: users, headers })).statusCode, 200);
      assert.equal(
        (await http.inject({ method: 'GET', url: String(created.headers.location), headers })).statusCode,
        200,
      );
    }
    assert.equal((await http.inject({ method: 'GET', url: '/readyz' })).statusCode, 200);
  });
});

test('/readyz does not wait long for a hung database', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  assert(typeof address === 'object' && address !== null);
  const patient = { DB_WRITE_TIMEOUT_MS: '20000', DB_CONNECT_TIMEOUT_MS: '3000' };
  await withApp({ write: { host: '127.0.0.1', port: address.port } }, patient, async ({ http }) => {
    const began = performance.now();
    const ready = await http.inject({ method: 'GET', url: '/readyz' });
    assert.equal(Value.Parse(Problem, ready.json()).reason, 'primary_unavailable');
    assert.ok(performance.now() - began < 2_800);
  });
  silent.close();
});

test('with both databases /readyz is 200, and while draining 503', async () => {
  await withApp({}, {}, async ({ http, drain }) => {
    assert.deepEqual((await http.inject({ method: 'GET', url: '/readyz' })).json(), { status: 'ok' });
    assert.deepEqual((await http.inject({ method: 'GET', url: '/health' })).json(), { status: 'ok' });
    const drained = drain.run(
      http,
      new Listeners(http.server, () => undefined),
      { delayMs: 100, settleMs: 0, othersClosed: async () => undefined, lingerMs: 0, isReplaced: false },
      new AbortController().signal,
    );
    const answer = await http.inject({ method: 'GET', url: '/readyz' });
    assert.equal(answer.statusCode, 503);
    assert.equal(Value.Parse(Problem, answer.json()).reason, 'draining');
    await drained;
  });
});

test('concurrent requests for /readyz share one query', async () => {
  await withApp({}, {}, async ({ http, databases }) => {
    const before = databases.writePool.connections.open;
    const asked = Array.from({ length: 200 }, async () => http.inject({ method: 'GET', url: '/readyz' }));
    const statuses = (await Promise.all(asked)).map(({ statusCode }) => statusCode);
    assert.deepEqual([...new Set(statuses)], [200]);
    assert.ok(databases.writePool.connections.open <= before + 1);
  });
});

test('a primary that became a standby is not ready', async () => {
  await withApp({ write: database().endpoints.read }, {}, async ({ http }) => {
    const ready = await http.inject({ method: 'GET', url: '/readyz' });
    assert.equal(ready.statusCode, 503);
    assert.match(Value.Parse(Problem, ready.json()).reason ?? '', /^primary_(?:read_only|unavailable)$/u);
  });
});

test('a write that exceeds its statement deadline is a 504, and has written nothing', async () => {
  await database().sql(`create function wait() returns trigger language plpgsql as
    $$ begin perform pg_sleep(30); return new; end $$`);
  await database().sql('create trigger slow before insert on users for each row execute function wait()');
  // The last tenth of the deadline is for the cancellation; on a busy machine 30 ms were too short for it.
  await withApp({}, { DB_WRITE_TIMEOUT_MS: '3000' }, async ({ http }) => {
    const payload = { first_name: 'Never', last_name: 'X' };
    const answer = await http.inject({ method: 'POST', url: users, payload });
    assert.equal(answer.statusCode, 504);
    assert.equal(Value.Parse(Problem, answer.json()).code, 'statement_timeout');
  });
  assert.deepEqual(await database().sql("select 1 from users where first_name = 'Never'"), []);
});

test('a read on the primary has the deadline of reads', async () => {
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  const env = { DB_READ_TIMEOUT_MS: '300', DB_WRITE_TIMEOUT_MS: '20000' };
  await withApp({ read: away }, env, async ({ http }) => {
    await withClient(database().endpoints.write, session, async (holder) => {
      await holder.query('begin');
      await holder.query('lock table users in access exclusive mode');
      const answer = await http.inject({ method: 'GET', url: users });
      assert.equal(Value.Parse(Problem, answer.json()).code, 'statement_timeout');
      await holder.query('commit');
    });
  });
});

test('a request without a connection in time is a 503 with Retry-After', async () => {
  await withApp({}, { DB_WRITE_TIMEOUT_MS: '300' }, async ({ http, databases }) => {
    const answer = await databases.writePool.transaction(async () =>
      http.inject({ method: 'POST', url: users, payload: names }),
    );
    assert.equal(answer.statusCode, 503);
    assert.equal(Value.Parse(Problem, answer.json()).code, 'pool_exhausted');
    assert.match(String(answer.headers['retry-after']), /^[1-5]$/u);
  });
});
