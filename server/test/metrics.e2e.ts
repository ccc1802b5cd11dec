import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { findPort } from '../src/process/port.ts';
import { metricNames } from '../src/telemetry/merge-snapshots.ts';
import { parseExposition, totalOf, type Exposition } from './exposition.ts';
import { assertCleanMetrics, noPromtool } from './promtool.ts';
import { childrenOf, isAlive, postmaster, useServers, workersOf, type Run, type RunOptions } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const requests = 'messenger_http_requests_total';
const documented: ReadonlySet<string> = new Set(metricNames);

async function start(options?: RunOptions): Promise<{ server: Run; dataDir: string }> {
  const dataDir = await servers.data();
  return { server: await servers.start(dataDir, options), dataDir };
}

/** On a new connection, so that the kernel may choose any worker. */
async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await fetch(url, { headers: { ...headers, connection: 'close' } });
}

async function scrape({ url }: { readonly url: string }): Promise<Exposition> {
  const answer = await get(`${url}/metrics`);
  assert.equal(answer.status, 200);
  return parseExposition(await answer.text());
}

async function readUsers({ url }: Run, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await (await get(`${url}/api/v1/users?limit=1`)).text();
}

function usersRead(exposition: Exposition): number {
  return totalOf(exposition, requests, { route: '/api/v1/users', method: 'GET', status: '2xx' });
}

async function create({ url }: Run): Promise<Response> {
  const body = JSON.stringify({ first_name: 'Ada', last_name: 'x' });
  return await fetch(`${url}/api/v1/users`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

async function fetchFromAll(server: Run): Promise<void> {
  await readUsers(server, 40);
  await (await create(server)).text();
}

test('one scrape of any worker covers all of them, and totals survive a killed worker', async () => {
  const { server } = await start();
  await fetchFromAll(server);
  const before = await scrape(server);
  assert.equal(usersRead(before), 40);
  assert.equal(totalOf(before, 'messenger_workers', { state: 'serving' }), 2);
  assert.equal(totalOf(before, 'messenger_worker_restarts_total'), 0);
  for (let n = 0; n < 5; n += 1) assert.equal(usersRead(await scrape(server)), 40, 'whichever worker answers');
  for (const name of before.types.keys()) assert.ok(documented.has(name), `${name} is documented`);

  if (noPromtool === false) assertCleanMetrics(await (await get(`${server.url}/metrics`)).text());

  const [victim] = workersOf(server.pid);
  assert(victim !== undefined);
  process.kill(victim, 'SIGKILL');
  await waitFor('the victim to be gone', () => !isAlive(victim));
  await waitFor('another worker to serve', () => /a new worker serves/u.test(server.stderr));
  const after = await scrape(server);
  assert.equal(totalOf(after, 'messenger_worker_restarts_total'), 1);
  assert.equal(totalOf(after, 'messenger_workers', { state: 'serving' }), 2);
  assertNothingFell(before, after);
  await readUsers(server, 10);
  assert.equal(usersRead(await scrape(server)), 50);
});

/** PostgreSQL has its own counters, which restart with it. */
function assertNothingFell(before: Exposition, after: Exposition): void {
  for (const { name, labels, value } of before.samples) {
    const isCounted = name.endsWith('_total') || /_(?:bucket|count|sum)$/u.test(name);
    if (isCounted) assert.ok(totalOf(after, name, labels) >= value, `${name} ${JSON.stringify(labels)} fell`);
  }
}

test('a frozen worker does not delay a scrape, is reported, and keeps its totals', async () => {
  const { server } = await start();
  await fetchFromAll(server);
  const before = await scrape(server);
  const victim = workersOf(server.pid)[0] ?? 0;
  process.kill(victim, 'SIGSTOP');
  try {
    // The kernel assigns some connections to the stopped worker; those wait.
    const answers = Array.from({ length: 6 }, async () => scrape(server).catch(() => undefined));
    const answer = await Promise.any(answers.map(async (one) => (await one) ?? Promise.reject(new Error('none'))));
    assert.equal(totalOf(answer, 'messenger_workers', { state: 'silent' }), 1);
    assertNothingFell(before, answer);
  } finally {
    process.kill(victim, 'SIGKILL');
  }
});

test('a stopped standby is reported as down, a late one as lagging, and the primary as up', async () => {
  const { server, dataDir } = await start();
  const read = { ...(await embeddedEndpoints(dataDir)).read, user: roles.superuser };
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  await waitFor(
    'the standby to replay everything',
    async () => totalOf(await scrape(server), 'messenger_postgres_up') === 2,
  );
  await withClient(read, session, async (client) => client.query('select pg_wal_replay_pause()'));
  assert.equal((await create(server)).status, 201);
  await waitFor('it to be behind', async () => {
    const late = await scrape(server);
    return (
      totalOf(late, 'messenger_postgres_replication_lag_bytes', { standby: 'standby' }) > 0 &&
      totalOf(late, 'messenger_postgres_replication_lag_seconds', { standby: 'standby' }) > 0
    );
  });
  await withClient(read, session, async (client) => client.query('select pg_wal_replay_resume()'));
  await waitFor('it to have caught up', async () => {
    const { samples } = await scrape(server);
    return samples.find(({ name }) => name === 'messenger_postgres_replication_lag_bytes')?.value === 0;
  });

  const stopped = postmaster(dataDir, 'standby') ?? 0;
  const frozen = [stopped, ...childrenOf(stopped)];
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  try {
    await waitFor('it to be down', async () => {
      return totalOf(await scrape(server), 'messenger_postgres_up', { server: 'standby' }) === 0;
    });
    const without = await scrape(server);
    assert.equal(totalOf(without, 'messenger_postgres_up', { server: 'primary' }), 1);
    assert.equal(without.types.has('messenger_postgres_replication_lag_bytes'), false);
  } finally {
    for (const pid of frozen) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
  }
});

test('a server without worker processes has the same metrics', async () => {
  const env = { BACKUP_DIR: await servers.folder() };
  const { server } = await start({ args: ['--enable-prefork', 'false'], env });
  await fetchFromAll(server);
  await (await get(`${server.url}/nowhere`)).text();
  const scraped = await scrape(server);
  assert.equal(usersRead(scraped), 40);
  // Without waits or failures there are no such series; see database-metrics.pg.test.ts and disk-full.e2e.ts.
  const quiet = new Set<string>([
    'messenger_db_waits_total',
    'messenger_db_wait_seconds_total',
    'messenger_db_statement_failures_total',
    'messenger_embedded_fault',
  ]);
  assert.deepEqual(
    metricNames.filter((name) => !scraped.types.has(name) && !quiet.has(name)),
    [],
  );
});

test('with a token or a separate port, other clients cannot read metrics', async () => {
  const { server } = await start({ env: { METRICS_TOKEN: 'a-secret-of-the-operator' } });
  assert.equal((await get(`${server.url}/metrics`)).status, 404);
  assert.equal((await get(`${server.url}/metrics`, { authorization: 'Bearer a-secret-of-the-operator' })).status, 200);
  assert.doesNotMatch(server.stdout + server.stderr, /a-secret-of-the-operator/u);

  const port = await findPort('127.0.0.1', 0);
  const apart = await start({ args: ['--metrics-port', String(port)] });
  assert.equal((await get(`${apart.server.url}/metrics`)).status, 404);
  const own = await scrape({ url: `http://127.0.0.1:${port}` });
  assert.equal(totalOf(own, 'messenger_workers', { state: 'serving' }), 2);
  assert.equal((await get(`http://127.0.0.1:${port}/api/v1/users`)).status, 404);

  const refused = await servers.startRefused(await servers.data(), {
    args: ['--metrics-port', String(port)],
  });
  assert.match(
    refused.stderr,
    /Port \d+ on 127\.0\.0\.1 is taken by another program; choose another one with --metrics-port/u,
  );
});
