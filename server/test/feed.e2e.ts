import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { becomeTestUser } from '../src/embedded/test-folder.ts';
import { TestServer } from '../src/embedded/test-server.ts';
import { parseExposition, totalOf } from './exposition.ts';
import { TestWorker } from './feed.ts';
import { createUser, feedOf, isAlive, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

// A server of an operator is run by this process, which then cannot be root.
before(becomeTestUser);

async function insertMessage(dataDir: string, conversation: string, number: number): Promise<void> {
  const { write } = await embeddedEndpoints(dataDir);
  await withClient(write, session, async (client) =>
    client.query(
      `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq) values ($1, $2, $3, $3, '', '\\x00', $2)`,
      [conversation, number, randomUUID()],
    ),
  );
}

async function metricOf({ url }: Run, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
  return totalOf(parseExposition(text), name, labels);
}

test('a killed feed is a gap for workers, not an outage: it is started again, and later commits arrive', async () => {
  const dataDir = await servers.data();
  const server = await servers.start(dataDir, { args: ['--realtime', 'on'] });
  const path = join((await embeddedEndpoints(dataDir)).write.host, 'feed.sock');
  const worker = new TestWorker(path);
  const conversation = randomUUID();
  await worker.link.follow(`conversation_id:${conversation}`);
  await waitFor('the feed to be live', () => worker.link.isLive);
  await insertMessage(dataDir, conversation, 1);
  await waitFor('the message', () => worker.commits.length === 1);
  assert.equal(await metricOf(server, 'messenger_feed_live'), 1);
  const commits = await metricOf(server, 'messenger_feed_commits_total');
  assert.ok(commits >= 1);
  assert.equal(workersOf(server.pid).length, 1);

  const killed = feedOf(server.pid) ?? assert.fail('there is a process of the feed');
  process.kill(killed, 'SIGKILL');
  await waitFor('the end of the connection', () => !worker.link.isLive);
  assert.equal((await createUser(server)).status, 201);
  await insertMessage(dataDir, conversation, 2);
  await waitFor('the gap', () => worker.gaps.length === 2);
  await insertMessage(dataDir, conversation, 3);
  await waitFor('the message after it', () => worker.commits.at(-1)?.rows[0]?.values['number'] === '3');
  await waitFor('the metrics of the new process', async () => (await metricOf(server, 'messenger_feed_live')) === 1);
  assert.equal(await metricOf(server, 'messenger_feed_restarts_total'), 1);
  assert.ok((await metricOf(server, 'messenger_feed_commits_total')) > commits);

  const second = feedOf(server.pid) ?? assert.fail('there is another process');
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
  await worker.link.close();
  assert.deepEqual([isAlive(second), existsSync(path)], [false, false]);
  assert.doesNotMatch(server.stderr, /"level":50/u);
});

test('without prefork, the feed runs in the main process', async () => {
  const dataDir = await servers.data();
  const server = await servers.start(dataDir, { args: ['--realtime', 'auto', '--enable-prefork', 'false'] });
  const worker = new TestWorker(join((await embeddedEndpoints(dataDir)).write.host, 'feed.sock'));
  const conversation = randomUUID();
  await worker.link.follow(`conversation_id:${conversation}`);
  await waitFor('the feed to be live', () => worker.link.isLive);
  await insertMessage(dataDir, conversation, 1);
  await waitFor('the message', () => worker.commits.length === 1);
  assert.equal(feedOf(server.pid), undefined);
  assert.equal(await metricOf(server, 'messenger_feed_workers'), 2, 'the main process and this test');
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
  await worker.link.close();
});

test('servers that cannot be followed: REALTIME=on refuses to start with the lines that mend it, auto serves without', async () => {
  const primary = await TestServer.createPrimary();
  try {
    await primary.sql(`alter system set wal_level = 'replica'`);
    await primary.kill();
    await primary.start();
    await primary.sql('create role plain login');
    await primary.sql('grant pg_monitor to plain');
    await primary.sql('grant create on schema public to plain');
    const { host, port, database } = primary.endpoint;
    const env = { DB_WRITE_HOST: host, DB_WRITE_PORT: String(port), DB_WRITE_USER: 'plain', DB_WRITE_NAME: database };
    const refused = await servers.startRefused('/nonexistent', { env: { ...env, REALTIME: 'on' } });
    assert.equal(await refused.ended(), 1);
    for (const line of [
      /wal_level is replica: alter system set wal_level = 'logical', and restart it\./u,
      /the role plain may not replicate: alter role plain replication\./u,
      /there is no publication messenger: as the owner of the database: create publication messenger for table conversations \(id, /u,
    ])
      assert.match(refused.stderr, line);
    const server = await servers.start('/nonexistent', { env: { ...env, REALTIME: 'auto' } });
    assert.match(server.stderr, /The server runs without realtime/u);
    assert.equal((await createUser(server)).status, 201);
    server.kill('SIGTERM');
    assert.equal(await server.ended(), 0);
  } finally {
    await primary.remove();
  }
});
