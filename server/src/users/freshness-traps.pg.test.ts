/** Problems of reading one's own writes from a standby, one test each (crashes and promotions are tested in db/). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { User } from '@messenger/protocol/users';
import { Value } from 'typebox/value';

import { createTestApp, useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { countRunning } from '../../test/pools.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import { decodeToken } from '../db/position.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_READ_MAX_LAG_MS: '600000' } });
const users = '/api/v1/users';

interface Written {
  readonly user: User;
  readonly token: string;
}

async function create({ http }: App, first = 'Ada'): Promise<Written> {
  const answer = await http.inject({ method: 'POST', url: users, payload: { first_name: first, last_name: 'x' } });
  return { user: Value.Parse(User, answer.json()), token: String(answer.headers['consistency-token']) };
}

async function rename({ user }: Written, first: string): Promise<string> {
  const payload = { first_name: first };
  const answer = await app().http.inject({ method: 'PATCH', url: `${users}/${user.id}`, payload });
  return String(answer.headers['consistency-token']);
}

async function read(id: string, token: string): Promise<User> {
  const answer = await app().http.inject({ url: `${users}/${id}`, headers: { 'consistency-token': token } });
  return Value.Parse(User, answer.json());
}

/** By user: the end of the commit record of the transaction that wrote it. Reads the log once, because that is slow. */
async function commitsSince(since: string): Promise<ReadonlyMap<string, bigint>> {
  const [written] = await database().sql<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  const flushed = 'select pg_current_wal_flush_lsn() >= $1 as yes';
  await waitFor(
    'the log to be on disk',
    async () => (await database().sql<{ yes: boolean }>(flushed, [written?.lsn]))[0]?.yes === true,
  );
  const rows = await database().sql<{ id: string; end: string }>(
    `select users.id, max(end_lsn - '0/0')::text as end
       from pg_get_wal_records_info($1, $2) join users on xid = users.xmin
      where resource_manager = 'Transaction' group by users.id`,
    [since, written?.lsn],
  );
  return new Map(rows.map(({ id, end }) => [id, BigInt(end)]));
}

async function here(): Promise<string> {
  return (await database().sql<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn'))[0]?.lsn ?? '';
}

async function assertTokensCoverCommits(write: () => Promise<readonly Written[]>): Promise<void> {
  const since = await here();
  const written = await write();
  const commits = await commitsSince(since);
  for (const { user, token } of written) {
    const [position, commit] = [decodeToken(token)?.lsn ?? 0n, commits.get(user.id)];
    assert.ok(commit !== undefined && position >= commit, `the token says ${position}, the commit ends at ${commit}`);
  }
}

async function oneByOne(writer: App): Promise<Written[]> {
  const written: Written[] = [];
  for (let round = 0; round < 20; round += 1) written.push(await create(writer));
  return written;
}

describe('the token of a write is after its commit record', () => {
  // Retains the WAL that is read below, regardless of other tests' writes and checkpoints.
  const slot = `test_${randomBytes(6).toString('hex')}`;

  before(async () => {
    await database().sql('create extension pg_walinspect');
    await database().sql('select pg_create_physical_replication_slot($1, true)', [slot]);
  });

  after(async () => {
    await database().sql('select pg_drop_replication_slot($1)', [slot]);
  });

  test('if commits wait for the disk', async () => {
    await assertTokensCoverCommits(async () => oneByOne(app()));
  });

  test('if commits do not wait', async () => {
    const [{ name } = { name: '' }] = await database().sql<{ name: string }>('select current_database() as name');
    await database().sql(`alter database ${name} set synchronous_commit = off`);
    const careless = await createTestApp(database().endpoints);
    try {
      await assertTokensCoverCommits(async () => oneByOne(careless));
    } finally {
      await careless.http.close();
      await careless.close();
      await database().sql(`alter database ${name} reset synchronous_commit`);
    }
  });

  test('also for concurrent writes', async () => {
    await assertTokensCoverCommits(async () => Promise.all(Array.from({ length: 40 }, async () => create(app()))));
  });
});

test('a write replayed during a read is not part of the read', async () => {
  const written = await create(app(), 'old');
  await database().sql('alter table users rename to users_table');
  // Only on the standby, each read takes a while after its snapshot.
  await database().sql(`create view users as select * from users_table
    where not pg_is_in_recovery() or (select pg_sleep(1.5) is not null)`);
  await database().replicated();
  await read(written.user.id, written.token);
  await database().sqlOnStandby('select pg_wal_replay_pause()');
  try {
    const token = await rename(written, 'new');
    let isOver = false;
    const answer = read(written.user.id, token).finally(() => {
      isOver = true;
    });
    await waitFor(
      'the read to be answered or to run on the standby',
      async () => isOver || (await countRunning(database, 'select id', 'read')) > 0,
    );
    await database().sqlOnStandby('select pg_wal_replay_resume()');
    assert.equal((await answer).first_name, 'new');
  } finally {
    await database().sqlOnStandby('select pg_wal_replay_resume()');
    await database().sql('drop view users');
    await database().sql('alter table users_table rename to users');
  }
});
