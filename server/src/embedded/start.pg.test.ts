import assert from 'node:assert/strict';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { withPrimary } from './only-primary.ts';
import { withSession } from './sql.ts';
import { ask, eventually, makeTestSite, replicates, soon, type TestSite } from './test-pair.ts';

let site: TestSite;

before(async () => {
  site = await makeTestSite('new');
});

after(async () => site.remove());

async function contents(): Promise<string[]> {
  return readdir(site.options.dataDir).catch(() => []);
}

test('an aborted first start leaves no database, complete or partial', async () => {
  const calledOff = new AbortController();
  const start = site.pair().start(calledOff.signal);
  await eventually(async () => (await contents()).some((name) => name.startsWith('primary.new-')));
  calledOff.abort(new Error('called off'));
  await assert.rejects(start, /called off/);
  assert.deepEqual((await contents()).toSorted(), ['messenger.lock']);
});

test('leftovers of a killed first start do not count as a database', async () => {
  await mkdir(join(site.options.dataDir, 'primary.new-0badcafe', 'base'), { recursive: true });
  await writeFile(join(site.options.dataDir, 'primary.new-0badcafe', 'PG_VERSION'), '18\n');
  const pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (id uuid primary key default uuidv7())');
  await replicates(pair, 'kept');
  await pair.stop(soon());
  assert.deepEqual((await contents()).toSorted(), ['messenger.lock', 'primary', 'run', 'standby']);
});

test("a failed start reports PostgreSQL's message, leaves nothing running and unlocks the folder", async () => {
  const broken = { ...site.options.overrides?.primary, shared_buffers: 'plenty' };
  const overrides = { primary: broken, standby: broken };
  await assert.rejects(site.pair({ overrides }).start(soon()), /the primary ended.*errors/i);
  const pair = site.pair();
  await pair.start(soon());
  await pair.stop(soon());
});

test('a command can use the primary of a data folder, with or without a running server', async () => {
  const countRows = async (): Promise<number | null> =>
    withPrimary(site.options, soon(), async (primary) =>
      withSession(primary, async (client) => (await client.query('select id from kept')).rowCount),
    );
  assert.equal(await countRows(), 1);
  const pair = site.pair();
  await pair.start(soon());
  const { primary } = pair.pids;
  assert.equal(await countRows(), 1);
  assert.equal(pair.pids.primary, primary);
  await pair.stop(soon());
});

test('a data folder with a path that is too long for a socket works', async () => {
  const dataDir = join(dirname(site.options.dataDir), 'long'.repeat(30));
  const pair = site.pair({ dataDir });
  await pair.start(soon());
  const { host } = pair.endpoints.write;
  assert.ok(!host.startsWith(dataDir));
  assert.deepEqual(await ask(pair, 'read', 'select 1'), [1]);
  await pair.stop(soon());
  await assert.rejects(stat(host), { code: 'ENOENT' });
});
