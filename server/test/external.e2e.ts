import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { createUser, isAlive, run, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

/** The embedded pair of one server acts as the operator's own servers for the others. */
const servers = useServers();
let dataDir = '';
let host = '';
/** Started by the first test. */
let first: { readonly server: Run; readonly database: string };

before(async () => {
  dataDir = await servers.data();
  await servers.start(dataDir);
  const { write } = await embeddedEndpoints(dataDir);
  host = write.host;
  // An operator's servers report unknown roles themselves; the embedded ones check the system's user first.
  await writeFile(join(dataDir, 'primary', 'pg_hba.conf'), 'local all all trust\nlocal replication all trust\n');
  await withClient({ ...write, user: roles.superuser }, session, async (client) =>
    client.query('select pg_reload_conf()'),
  );
});

type Settings = Readonly<Record<string, string>>;

function role(name: 'WRITE' | 'READ', port: number, database: string): Settings {
  return {
    [`DB_${name}_HOST`]: host,
    [`DB_${name}_PORT`]: String(port),
    [`DB_${name}_USER`]: 'messenger',
    [`DB_${name}_NAME`]: database,
  };
}

function external(database = 'messenger'): Settings {
  return { ...role('WRITE', 5432, database), ...role('READ', 5433, database) };
}

/** Serves from the operator's databases; nothing is embedded, so the data folder stays unchanged. */
async function serve(env: Settings, args: readonly string[] = []): Promise<Run> {
  return await servers.start('/nonexistent', { env, args });
}

async function refused(env: Settings, args: readonly string[] = []): Promise<string> {
  const server = await servers.startRefused('/nonexistent', { env, args });
  assert.equal(await server.ended(), 1);
  assert.doesNotMatch(server.stderr, /\n +at /u, 'a refusal has no stack');
  return server.stderr;
}

async function createDatabase(): Promise<string> {
  const name = `external_${randomBytes(4).toString('hex')}`;
  const { write } = await embeddedEndpoints(dataDir);
  await withClient({ ...write, user: roles.superuser, database: 'postgres' }, session, async (client) =>
    client.query(`create database ${name}`),
  );
  return name;
}

test("a server uses an operator's primary and standby; servers that start together migrate once", async () => {
  const database = await createDatabase();
  const [one, second] = await Promise.all([
    serve({ ...external(database), DRAIN_DELAY_MS: '3000' }),
    serve(external(database)),
  ]);
  first = { server: one, database };
  assert.equal((await createUser(one)).status, 201);
  await waitFor('the other server to list the user', async () => {
    const users: unknown = await (await fetch(`${second.url}/api/v1/users`)).json();
    return Array.isArray(users) && users.length === 1;
  });
  assert.doesNotMatch(one.stdout, /^ +data /mu);
  second.kill('SIGTERM');
  assert.equal(await second.ended(), 0);
});

test('a worker whose supervisor was killed answers accepted requests, and ends', async () => {
  const { server, database } = first;
  const [worker] = workersOf(server.pid);
  assert(worker !== undefined);
  const { write } = await embeddedEndpoints(dataDir);
  await withClient({ ...write, user: roles.superuser, database }, session, async (holder) => {
    await holder.query('begin');
    const { rows } = await holder.query<{ id: string }>('select id from users for update');
    const renaming = fetch(`${server.url}/api/v1/users/${rows[0]?.id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ last_name: 'Byron' }),
    });
    await waitFor('the write to wait', async () => {
      const waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return await withClient({ ...write, database }, session, async (client) => {
        return (await client.query(waiting)).rows.length > 0;
      });
    });
    server.kill('SIGKILL');
    await waitFor('the worker to drain', async () => (await fetch(`${server.url}/readyz`)).status === 503);
    // It queries the supervisor, which is frozen.
    const metrics = fetch(`${server.url}/metrics`);
    await holder.query('commit');
    assert.equal((await renaming).status, 200);
    assert.equal((await metrics).status, 503);
  });
  await waitFor('the worker to end', () => !isAlive(worker));
});

test('a primary without a standby serves reads, too', async () => {
  const server = await serve(role('WRITE', 5432, 'messenger'));
  assert.equal((await createUser(server)).status, 201);
  const users: unknown = await (await fetch(`${server.url}/api/v1/users?limit=1`)).json();
  assert(Array.isArray(users) && users.length === 1, 'a read right after the write sees it');
});

test('a standby as the only write server is refused', async () => {
  assert.match(
    await refused(role('WRITE', 5433, 'messenger')),
    /:5433 is a standby, which takes no writes; DB_WRITE_HOST must name the primary/u,
  );
});

test('swapped server names, as after a failover, are corrected by roles', async () => {
  const server = await serve({ ...external(), DB_WRITE_PORT: '5433', DB_READ_PORT: '5432' });
  assert.match(server.stderr, /"primary":"[^"]*:5432".*the primary is not the first of the write hosts/u);
  assert.equal((await createUser(server)).status, 201);
});

test('a read server of another cluster is refused', async () => {
  const other = join(await servers.folder(), 'data');
  await servers.start(other);
  const elsewhere = (await embeddedEndpoints(other)).write.host;
  assert.match(await refused({ ...external(), DB_READ_HOST: elsewhere }), /is not a standby of the write server/u);
});

test('an unknown database and an unknown user are refused at once', async () => {
  assert.match(await refused(external('nowhere')), /The database refuses: database "nowhere" does not exist/u);
  assert.match(
    await refused({ ...external(), DB_WRITE_USER: 'nobody_at_all' }),
    /role "nobody_at_all" does not exist/u,
  );
});

test('explicit pool sizes that do not fit are refused with the calculation; defaults shrink', async () => {
  const asked = { ...external(), DB_WRITE_MAX_OPEN_CONNS: '100' };
  const told = await refused(asked, ['--workers', '8']);
  assert.match(told, /max_connections = 500, less 3 .*less a reserve of 100: 397 remain for 8 workers/u);
  assert.match(told, /write 100 \(DB_WRITE_MAX_OPEN_CONNS\) × 8 = 800 do not fit/u);
  const server = await serve(external(), ['--workers', '2']);
  const [, size] = /the read pool shrinks from 100 to (\d\d) connections a worker/u.exec(server.stderr) ?? [];
  assert.ok(server.stdout.includes(`up to ${size} connections a worker`), server.stderr);
});

test('a start waits for databases that are not up yet, and logs each attempt', async () => {
  const late = await servers.data();
  const { write } = await embeddedEndpoints(late);
  const env = { ...external(), DB_WRITE_HOST: write.host, DB_READ_HOST: write.host };
  const waiting = await run({ args: ['start', '--port', '0', '--workers', '1'], env });
  await waitFor('two attempts', () => waiting.stderr.split('waiting for the databases').length > 2);
  assert.match(waiting.stderr, new RegExp(`"write":"${write.host}:5432, .*ENOENT`, 'u'));
  await servers.start(late);
  await waitFor('it to start', () => waiting.isServing || waiting.hasEnded);
  assert.equal(waiting.hasEnded, false, waiting.stderr);
  assert.equal((await createUser(waiting)).status, 201);
  waiting.kill('SIGTERM');
  assert.equal(await waiting.ended(), 0);
});

test('a start without databases fails at its time-out, with the reason', async () => {
  const env = { DB_WRITE_HOST: '127.0.0.1', DB_WRITE_PORT: '1', START_TIMEOUT_MS: '1500' };
  assert.match(await refused(env), /^The databases did not answer: .*ECONNREFUSED.*\n$/mu);
});
