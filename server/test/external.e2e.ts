import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { createUser, isAlive, useServers, workersOf, type Run } from './start-server.ts';
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

test('swapped server names, as after a failover, are corrected by roles', async () => {
  const server = await serve({ ...external(), DB_WRITE_PORT: '5433', DB_READ_PORT: '5432' });
  assert.match(server.stderr, /"primary":"[^"]*:5432".*the primary is not the first of the write hosts/u);
  assert.equal((await createUser(server)).status, 201);
});

test('a start without databases fails at its time-out, with the reason; wait-for-servers.pg.test.ts has the other refusals', async () => {
  const env = { DB_WRITE_HOST: '127.0.0.1', DB_WRITE_PORT: '1', START_TIMEOUT_MS: '1500' };
  assert.match(await refused(env), /^The databases did not answer: .*ECONNREFUSED.*\n$/mu);
});
