import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { findPort } from '../src/process/port.ts';
import { metricNames } from '../src/telemetry/merge-snapshots.ts';
import { parseExposition, totalOf, type Exposition } from './exposition.ts';
import { assertCleanMetrics, noPromtool } from './promtool.ts';
import { childrenOf, createUser, isAlive, postmaster, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const requests = 'messenger_http_requests_total';
const documented: ReadonlySet<string> = new Set(metricNames);

let dataDir = '';
/** Of the first tests, in their order. */
let server: Run;

before(async () => {
  dataDir = await servers.data();
  server = await servers.start(dataDir, { args: ['--workers', '2'] });
});

/** On a new connection, so that the kernel may choose any worker. */
async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await fetch(url, { headers: { ...headers, connection: 'close' } });
}

async function scrape(
  { url }: { readonly url: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Exposition> {
  const answer = await get(`${url}/metrics`, headers);
  assert.equal(answer.status, 200);
  return parseExposition(await answer.text());
}

async function readUsers({ url }: Run, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await (await get(`${url}/api/v1/users?limit=1`)).text();
}

function usersRead(exposition: Exposition): number {
  return totalOf(exposition, requests, { route: '/api/v1/users', method: 'GET', status: '2xx' });
}

async function fetchFromAll(one: Run): Promise<void> {
  await readUsers(one, 40);
  await (await createUser(one)).text();
}

test('one scrape of any worker covers all of them, and totals survive a killed worker', async () => {
  await fetchFromAll(server);
  const earlier = await scrape(server);
  assert.equal(usersRead(earlier), 40);
  assert.equal(totalOf(earlier, 'messenger_workers', { state: 'serving' }), 2);
  assert.equal(totalOf(earlier, 'messenger_worker_restarts_total'), 0);
  for (let n = 0; n < 5; n += 1) assert.equal(usersRead(await scrape(server)), 40, 'whichever worker answers');
  for (const name of earlier.types.keys()) assert.ok(documented.has(name), `${name} is documented`);

  if (noPromtool === false) assertCleanMetrics(await (await get(`${server.url}/metrics`)).text());

  const [victim] = workersOf(server.pid);
  assert(victim !== undefined);
  process.kill(victim, 'SIGKILL');
  await waitFor('the victim to be gone', () => !isAlive(victim));
  await waitFor('another worker to serve', () => /a new worker serves/u.test(server.stderr));
  const after = await scrape(server);
  assert.equal(totalOf(after, 'messenger_worker_restarts_total'), 1);
  assert.equal(totalOf(after, 'messenger_workers', { state: 'serving' }), 2);
  assertNothingFell(earlier, after);
  await readUsers(server, 10);
  assert.equal(usersRead(await scrape(server)), 50);
});

/** PostgreSQL has its own counters, which restart with it. */
function assertNothingFell(earlier: Exposition, after: Exposition): void {
  for (const { name, labels, value } of earlier.samples) {
    const isCounted = name.endsWith('_total') || /_(?:bucket|count|sum)$/u.test(name);
    if (isCounted) assert.ok(totalOf(after, name, labels) >= value, `${name} ${JSON.stringify(labels)} fell`);
  }
}

test('a stopped standby is reported as down, a late one as lagging, and the primary as up', async () => {
  const read = { ...(await embeddedEndpoints(dataDir)).read, user: roles.superuser };
  const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  await waitFor(
    'the standby to replay everything',
    async () => totalOf(await scrape(server), 'messenger_postgres_up') === 2,
  );
  await withClient(read, session, async (client) => client.query('select pg_wal_replay_pause()'));
  assert.equal((await createUser(server)).status, 201);
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

test('a frozen worker does not delay a scrape, is reported, and keeps its totals', async () => {
  await fetchFromAll(server);
  const earlier = await scrape(server);
  const victim = workersOf(server.pid)[0] ?? 0;
  process.kill(victim, 'SIGSTOP');
  try {
    // The kernel assigns some connections to the stopped worker; those wait.
    const answers = Array.from({ length: 6 }, async () => scrape(server).catch(() => undefined));
    const answer = await Promise.any(answers.map(async (one) => (await one) ?? Promise.reject(new Error('none'))));
    assert.equal(totalOf(answer, 'messenger_workers', { state: 'silent' }), 1);
    assertNothingFell(earlier, answer);
  } finally {
    process.kill(victim, 'SIGKILL');
  }
});

test('a server without worker processes has the same metrics, for clients with the token', async () => {
  const env = { BACKUP_DIR: await servers.folder(), METRICS_TOKEN: 'a-secret-of-the-operator' };
  const args = ['--enable-prefork', 'false', '--realtime', 'on'];
  const alone = await servers.start(await servers.data(), { args, env });
  await fetchFromAll(alone);
  await (await get(`${alone.url}/nowhere`)).text();
  assert.equal((await get(`${alone.url}/metrics`)).status, 404);
  const scraped = await scrape(alone, { authorization: 'Bearer a-secret-of-the-operator' });
  assert.equal(usersRead(scraped), 40);
  // Without waits or failures there are no such series; see database-metrics.pg.test.ts and disk-full.e2e.ts.
  const quiet = new Set<string>([
    'messenger_db_waits_total',
    'messenger_db_wait_seconds_total',
    'messenger_db_statement_failures_total',
    'messenger_embedded_fault',
    'messenger_sync_frames_total',
    'messenger_feed_restarts_total', // There is no process of the feed.
  ]);
  assert.deepEqual(
    metricNames.filter((name) => !scraped.types.has(name) && !quiet.has(name)),
    [],
  );
  assert.doesNotMatch(alone.stdout + alone.stderr, /a-secret-of-the-operator/u);
});

test('with a separate port, only that has metrics', async () => {
  const port = await findPort('127.0.0.1', 0);
  const apart = await servers.start(await servers.data(), { args: ['--metrics-port', String(port)] });
  assert.equal((await get(`${apart.url}/metrics`)).status, 404);
  const own = await scrape({ url: `http://127.0.0.1:${port}` });
  assert.equal(totalOf(own, 'messenger_workers', { state: 'serving' }), 1);
  assert.equal((await get(`http://127.0.0.1:${port}/api/v1/users`)).status, 404);

  const refused = await servers.startRefused(await servers.data(), {
    args: ['--metrics-port', String(port)],
  });
  assert.match(
    refused.stderr,
    /Port \d+ on 127\.0\.0\.1 is taken by another program; choose another one with --metrics-port/u,
  );
});
