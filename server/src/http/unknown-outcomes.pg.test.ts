/** Clients retry a write that failed, so a failure is reported only when it is certain. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';

import type { LightMyRequestResponse } from 'fastify';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { codeOf } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import { withClient } from '../db/session.ts';

const database = useDatabase();
const users = '/api/v1/users';
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

/** The treatment of the primary's answers after a statement of the application was sent. */
let answers: 'pass' | 'are cut' | 'are kept';
let app: App;
let port = 0;

const proxy = createServer({ allowHalfOpen: true }, (socket) => {
  const { host, port: number } = database().endpoints.write;
  const server = connect(`${host}/.s.PGSQL.${number}`);
  for (const one of [socket, server]) one.on('error', () => one.destroy());
  socket.on('close', () => server.destroy());
  let isAffected = false;
  socket.on('data', (statements: Buffer) => {
    isAffected ||= answers !== 'pass' && statements.includes('users.'); // The application's names of its statements.
    server.write(statements);
  });
  socket.on('end', () => server.end());
  server.on('data', (answer: Buffer) => {
    if (!isAffected) socket.write(answer);
    else if (answers === 'are cut') socket.destroy();
  });
  server.on('end', () => socket.end());
});

before(async () => {
  await database.created;
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  assert(typeof address === 'object' && address !== null);
  port = address.port;
  answers = 'pass';
  const { write, read } = database().endpoints;
  app = await createTestApp(
    { write: { ...write, host: '127.0.0.1', port }, read: { ...read, host: '/nonexistent' } },
    { env: { DB_WRITE_TIMEOUT_MS: '500', DB_READ_TIMEOUT_MS: '500' } },
  );
});
database.beforeDrop(async () => {
  answers = 'pass';
  await app.http.close();
  await app.close();
});
after(() => proxy.close());
beforeEach(async () => {
  answers = 'pass';
  await app.http.inject({ method: 'GET', url: users }); // Opens a connection.
});

async function create(name: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
  return await app.http.inject({ method: 'POST', url: users, headers, payload: { first_name: name, last_name: 'x' } });
}

async function rename(id: string): Promise<LightMyRequestResponse> {
  return await app.http.inject({ method: 'PATCH', url: `${users}/${id}`, payload: { last_name: 'y' } });
}

async function count(name: string): Promise<number> {
  return (await database().sql('select 1 from users where first_name = $1', [name])).length;
}

test('a write whose answer is lost is outcome_unknown', async () => {
  answers = 'are cut';
  const answer = await create('Lost');
  assert.equal(answer.statusCode, 504);
  assert.equal(codeOf(answer), 'outcome_unknown');
  assert.equal(answer.headers['retry-after'], undefined);
  await waitFor('the write to be done', async () => (await count('Lost')) === 1);
});

test('several kinds of writes in one transaction whose answer is lost are outcome_unknown', async () => {
  const id = (await create('Renamed')).json<{ id: string }>().id;
  answers = 'are kept';
  const all = await Promise.all([create('Together'), rename(id)]);
  assert.deepEqual(all.map(codeOf), ['outcome_unknown', 'outcome_unknown']);
  assert.equal(await count('Together'), 1);
});

test('a write whose answer is lost can be repeated with its Idempotency-Key, and is made once', async () => {
  answers = 'are cut';
  const headers = { 'idempotency-key': randomUUID() };
  assert.equal(codeOf(await create('Repeated', headers)), 'outcome_unknown');
  answers = 'pass';
  const answer = await create('Repeated', headers);
  assert.equal(answer.statusCode, 201);
  const stored = await database().sql("select id from users where first_name = 'Repeated'");
  assert.deepEqual(stored, [{ id: answer.json<{ id: string }>().id }]);
});

test('a write without an answer in time is outcome_unknown', async () => {
  answers = 'are kept';
  const answer = await create('Silent');
  assert.equal(answer.statusCode, 504);
  assert.equal(codeOf(answer), 'outcome_unknown');
  assert.equal(await count('Silent'), 1);
});

test('a write that the server has aborted may be retried', async () => {
  const { id } = (await create('Held')).json<{ id: string }>();
  await withClient(database().endpoints.write, session, async (holder) => {
    await holder.query('begin');
    await holder.query('select 1 from users where id = $1 for update', [id]);
    const renaming = rename(id);
    const waiting = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and application_name like 'messenger %'`;
    await waitFor('the write to wait', async () => (await database().sql(waiting)).length > 0);
    const answer = await renaming;
    assert.equal(answer.statusCode, 503);
    assert.equal(codeOf(answer), 'database_unavailable');
    assert.notEqual(answer.headers['retry-after'], undefined);
  });
});

test('a read whose answer is lost may be retried', async () => {
  answers = 'are cut';
  const answer = await app.http.inject({ method: 'GET', url: users });
  assert.equal(answer.statusCode, 503);
  assert.equal(codeOf(answer), 'database_unavailable');
});
