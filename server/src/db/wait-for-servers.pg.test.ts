import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { createLog } from '../telemetry/log.ts';
import { listOf, type Endpoint } from './endpoint.ts';
import { waitForReplay } from './replay.ts';
import { withClient } from './session.ts';
import { waitForServers } from './wait-for-servers.ts';

const database = useDatabase();
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
const options = { connectTimeoutMs: 2_000, random: () => 0, log };
const session = { applicationName: 'test', connectTimeoutMs: 2_000, statementTimeoutMs: 2_000 };
const never = new AbortController().signal;
const away = { host: '/nonexistent' };

beforeEach(() => {
  lines.length = 0;
});

test('the start waits for unavailable servers, and each attempt logs which and why', async (t) => {
  const { write, read } = database().endpoints;
  const folder = await mkdtemp(join(tmpdir(), 'messenger-wait-'));
  t.after(async () => rm(folder, { recursive: true }));
  const late = { ...read, host: join(folder, 'sockets') };
  const waiting = waitForServers({ write, reads: [late] }, { ...options, signal: never });
  await waitFor('two attempts', () => lines.length >= 2);
  await symlink(read.host, late.host);
  const facts = await waiting;
  assert.deepEqual([facts.write.inRecovery, facts.reads[0]?.facts.inRecovery], [false, true]);
  assert.match(lines[1] ?? '', /"attempt":2,.*"read":"[^"]*sockets:\d+","reason":"[^"]*ENOENT/u);
});

test('the start gives up on servers that never answer, with the reason', async () => {
  const { write, read } = database().endpoints;
  const time = new AbortController();
  const waiting = waitForServers({ write: { ...write, ...away }, reads: [read] }, { ...options, signal: time.signal });
  const givenUp = assert.rejects(waiting, /OperatorError: The databases did not answer: .*ENOENT.*nonexistent/u);
  await waitFor('an attempt', () => lines.length > 0);
  time.abort();
  await givenUp;
});

test('one of several read servers is enough: the start continues without the others, with a log line', async () => {
  const { write, read } = database().endpoints;
  const servers = await waitForServers({ write, reads: [{ ...read, ...away }, read] }, { ...options, signal: never });
  assert.deepEqual(
    servers.reads.map(({ endpoint }) => endpoint),
    [read],
  );
  assert.match(
    lines.join(''),
    /"read":"\/nonexistent:5433".*ENOENT.*a read server is unavailable: starting without it/u,
  );
});

test('the start waits when all read servers are unavailable', async () => {
  const { write, read } = database().endpoints;
  const time = new AbortController();
  const reads = [
    { ...read, ...away },
    { ...read, ...away, port: 1 },
  ];
  const givenUp = assert.rejects(waitForServers({ write, reads }, { ...options, signal: time.signal }), /ENOENT/u);
  await waitFor('an attempt', () => lines.length > 0);
  time.abort();
  await givenUp;
  assert.match(lines[0] ?? '', /"read":"\/nonexistent:5433, \/nonexistent:1"/u);
});

test('a read server that rejects our login ends the start, and so does one under two names', async (t) => {
  const { write, read } = database().endpoints;
  const other = { ...read, database: 'no_such_database' };
  const start = async (...reads: Endpoint[]): Promise<unknown> =>
    waitForServers({ write, reads }, { ...options, signal: never });
  await assert.rejects(start(read, other), /no_such_database/u);
  const folder = await mkdtemp(join(tmpdir(), 'messenger-alias-'));
  t.after(async () => rm(folder, { recursive: true }));
  const alias = { ...read, host: join(folder, 'sockets') };
  await symlink(read.host, alias.host);
  await assert.rejects(start(read, alias), /The read servers .*:5433 and .*sockets:5433 are one: DB_READ_HOST/u);
});

test('the primary may be among the read servers, with a log line', async () => {
  const { write, read } = database().endpoints;
  const servers = await waitForServers({ write, reads: [write, read] }, { ...options, signal: never });
  assert.equal(servers.reads.length, 2);
  assert.match(lines.join(''), /"read":"[^"]*:5432".*is the primary itself/u);
});

test('permanent errors end the start at once', async () => {
  const { write, read } = database().endpoints;
  const other = { ...write, database: 'no_such_database' };
  await assert.rejects(
    waitForServers({ write: other, reads: [read] }, { ...options, signal: never }),
    /no_such_database/u,
  );
  await assert.rejects(waitForServers({ write: read, reads: [read] }, { ...options, signal: never }), /is a standby/u);
  assert.deepEqual(lines, []);
});

test('the start waits until the read server has the new schema, within its time-out', async () => {
  const { write, read } = database().endpoints;
  const until = async (ms: number): Promise<boolean> =>
    waitForReplay({ write, read }, session, AbortSignal.timeout(ms));
  assert.equal(await until(10_000), true);
  // Replay waits for this lock. A pause would not do: tests of other files resume the replay of the same standby.
  await withClient(read, session, async (reader) => {
    await reader.query('begin; select 1 from users');
    await database().sql('alter table users add replayed int');
    assert.equal(await until(150), false);
    await reader.query('commit');
  });
  assert.equal(await until(10_000), true);
});

test('an unavailable read server is queried again until the time-out', async () => {
  const { write, read } = database().endpoints;
  const time = AbortSignal.timeout(120);
  assert.equal(await waitForReplay({ write, read: { ...read, ...away } }, session, time), false);
});

test('a read-only database is refused', async () => {
  await database().sql(`do $$ begin
    execute format('alter database %I set default_transaction_read_only to on', current_database());
  end $$`); // The last test here: nothing is written any more.
  const { endpoints } = database();
  await assert.rejects(waitForServers(listOf(endpoints), { ...options, signal: never }), /is read-only/u);
});

/** A server that refuses every session with this error. */
async function startRefusing(code: string, message: string): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => {
    socket.once('data', () => {
      const body = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
      const head = Buffer.alloc(5);
      head.write('E');
      head.writeInt32BE(body.length + 4, 1);
      socket.end(Buffer.concat([head, body]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return { port: address.port, close: () => void server.close() };
}

for (const [name, code, message, advice] of [
  ['a pooler', '08P01', 'unsupported startup parameter in options: lock_timeout', /ignore_startup_parameters/u],
  ['an old server', '42704', 'unrecognized configuration parameter "transaction_timeout"', /PostgreSQL 18 or newer/u],
] as const)
  test(`${name} that refuses a setting of our sessions ends the start at once, with advice`, async (t) => {
    const { port, close } = await startRefusing(code, message);
    t.after(close);
    const endpoint = { ...database().endpoints.write, host: '127.0.0.1', port };
    const refused = waitForServers({ write: endpoint, reads: [endpoint] }, { ...options, signal: never });
    await assert.rejects(refused, (error) => error instanceof OperatorError && advice.test(error.message));
  });
