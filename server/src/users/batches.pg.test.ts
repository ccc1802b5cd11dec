/** Batching changes no result. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { before, describe, test } from 'node:test';

import type { User } from '@messenger/protocol/users';

import { createTestApp, useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { refusedWith } from '../../test/pools.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { BatchedPool } from '../db/batched-pool.ts';
import { onlyOnPrimary } from '../db/position.ts';
import { withClient } from '../db/session.ts';
import type { Users } from './users.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on' } });
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

async function createMany(count: number): Promise<User[]> {
  const users = usersOf(app());
  const names = Array.from({ length: count }, (_, n) => ({ first_name: `n${n}`, last_name: 'x' }));
  return await Promise.all(names.map(async (one) => users.create(one, someone())));
}

async function renameAll(users: readonly User[], last: string): Promise<User[]> {
  const all = usersOf(app());
  return await Promise.all(users.map(async ({ id }) => all.rename(id, { last_name: last }, someone())));
}

type Counted = readonly { readonly query: string; readonly calls: number }[];

/** The statements that the server runs during `act`, without those of the probes. */
async function statementsOn(server: 'primary' | 'standby', act: () => Promise<void>): Promise<Counted> {
  const own = database();
  const reset = 'select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = current_database()';
  await (server === 'primary' ? own.sql(reset) : own.sqlOnStandby(reset));
  await act();
  const text = `select query, calls::int from pg_stat_statements join pg_database on dbid = pg_database.oid
      where datname = current_database() and query not like '%pg_stat_statements%'
        and query not like '%system_identifier%' and query not like '%flush_lsn%'`;
  type Row = Counted[number];
  return await (server === 'primary' ? own.sql<Row>(text) : own.sqlOnStandby<Row>(text));
}

function callsOf(counted: Counted, part = ''): number {
  return counted.filter(({ query }) => query.includes(part)).reduce((sum, { calls }) => sum + calls, 0);
}

describe('concurrent calls', () => {
  before(async () => {
    await database().sql('create extension if not exists pg_stat_statements');
    await database().replicated();
  });

  test('that write are one transaction, with one flush of the WAL', async () => {
    const made = await createMany(64);
    assert.deepEqual(
      made.map((user) => user.first_name),
      made.map((_, n) => `n${n}`),
    );
    const countTransactions = async (): Promise<number | undefined> => {
      const ids = made.map(({ id }) => id);
      const sql = 'select count(distinct xmin::text)::int as n from users where id = any($1)';
      return (await database().sql<{ n: number }>(sql, [ids]))[0]?.n;
    };
    assert.equal(await countTransactions(), 1);
    await renameAll(made, 'y');
    assert.equal(await countTransactions(), 1);
  });

  test('that write are one transaction for all kinds of writes', async () => {
    const [first, second] = await createMany(2);
    assert(first && second);
    const users = usersOf(app());
    await database().sql(`create table gone (id uuid, xid text);
      create function note() returns trigger language plpgsql as
        $$ begin insert into gone values (old.id, pg_current_xact_id_if_assigned()); return old; end $$;
      create trigger note after delete on users for each row execute function note()`);
    const [made, renamed] = await Promise.all([
      users.create({ first_name: 'new', last_name: 'x' }, someone()),
      users.rename(first.id, { last_name: 'renamed' }, someone()),
      users.delete(second.id, someone()),
    ]);
    assert.equal(renamed.last_name, 'renamed');
    const transactions = await database().sql(
      'select xmin::text from users where id = any($1) union select xid from gone',
      [[made.id, renamed.id]],
    );
    assert.equal(transactions.length, 1);
    await database().sql('drop trigger note on users');
  });

  test('that read are one statement on the standby', async () => {
    const made = await createMany(64);
    await database().replicated();
    const counted = await statementsOn('standby', async () => {
      const users = usersOf(app());
      assert.deepEqual(await Promise.all(made.map(async ({ id }) => users.get(id, someone()))), made);
    });
    assert.equal(callsOf(counted), 1);
  });

  test('are sent even if the turn does not end because of continuous requests', async () => {
    const { http, databases } = app();
    const inFlight = (): number =>
      databases.batches.flatMap(({ loads }) => loads).reduce((sum, load) => sum + load.inFlight, 0);
    const call = usersOf(app()).create({ first_name: 'Ada', last_name: 'x' }, someone());
    // Microtasks, and requests that are emitted instead of read, keep everything in one turn.
    for (let n = 0; n < 20; n += 1) await Promise.resolve();
    assert.equal(inFlight(), 0);
    const until = performance.now() + 25;
    while (performance.now() < until);
    const request = new IncomingMessage(new Socket());
    Object.assign(request, { method: 'GET', url: '/livez' });
    const response = new ServerResponse(request);
    http.server.emit('request', request, response);
    response.emit('close');
    assert.equal(inFlight(), 1);
    await call;
  });

  test('for many different lists are several statements, to bound the memory of one', async () => {
    const counted = await statementsOn('standby', async () => {
      const users = usersOf(app());
      await Promise.all(Array.from({ length: 300 }, async (_, offset) => users.list({ limit: 5, offset }, someone())));
    });
    assert.equal(callsOf(counted, 'unnest'), 3);
  });

  test('for the same list share one array', async () => {
    const users = usersOf(app());
    const pages = await Promise.all(Array.from({ length: 50 }, async () => users.list({ limit: 5 }, someone())));
    assert.equal(new Set(pages.map((page) => page.users)).size, 1);
  });

  test("that read with tokens query the standby's position once", async () => {
    const written = someone();
    const user = await usersOf(app()).create({ first_name: 'Ada', last_name: 'x' }, written);
    const made = [user, ...(await createMany(63))];
    await database().replicated();
    const readers = made.map(() => ({ ...someone(), token: written.seen }));
    const counted = await statementsOn('standby', async () => {
      const users = usersOf(app());
      const reads = made.map(async ({ id }, n) => users.get(id, readers[n] ?? someone()));
      assert.deepEqual(await Promise.all(reads), made);
    });
    assert.ok(readers.every(({ seen }) => seen !== undefined));
    assert.ok(callsOf(counted) <= 2, 'the reads, and the position where that is a statement of its own');
    assert.equal(callsOf(counted, 'pg_last_wal_replay_lsn'), 1);
  });

  test("that write query the primary's position once", async () => {
    const made = await createMany(64);
    const counted = await statementsOn('primary', async () => {
      const users = usersOf(app());
      const callers = made.map(() => someone());
      await Promise.all([
        ...made.slice(0, 40).map(async ({ id }, n) => users.rename(id, { last_name: 'y' }, callers[n] ?? someone())),
        ...made.slice(40).map(async ({ id }, n) => users.delete(id, callers[40 + n] ?? someone())),
      ]);
      assert.ok(callers.every(({ seen }) => seen !== undefined));
    });
    assert.equal(callsOf(counted, 'pg_current_wal_insert_lsn'), 1);
  });
});

test('a row that the database refuses fails alone, and the others are written once', async () => {
  await database().sql(`create function refuse() returns trigger language plpgsql as
    $$ begin if new.first_name = 'poison' then raise exception 'no poison here'; end if; return new; end $$`);
  await database().sql('create trigger refuse before insert or update on users for each row execute function refuse()');
  const users = usersOf(app());
  const names = Array.from({ length: 50 }, (_, n) => (n === 17 || n === 30 ? 'poison' : `pure ${n}`));
  const outcomes = await Promise.allSettled(
    names.map(async (first) => users.create({ first_name: first, last_name: 'x' }, someone())),
  );
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.first_name : String(outcome.reason))),
    names.map((name) => (name === 'poison' ? 'error: no poison here' : name)),
  );
  const stored = await database().sql<User>("select first_name from users where first_name like 'p%'");
  assert.deepEqual(
    stored.map((row) => row.first_name).toSorted(),
    names.filter((name) => name !== 'poison').toSorted(),
  );
  await database().sql('drop trigger refuse on users');
});

test('a write that the database refuses does not affect writes of other kinds', async () => {
  const [renamed, refused, removed] = await createMany(3);
  assert(renamed && refused && removed);
  await database().sql('create trigger refuse before update on users for each row execute function refuse()');
  const users = usersOf(app());
  const outcomes = await Promise.allSettled([
    users.create({ first_name: 'pure', last_name: 'new' }, someone()),
    users.rename(renamed.id, { last_name: 'renamed' }, someone()),
    users.rename(refused.id, { first_name: 'poison' }, someone()),
    users.delete(removed.id, someone()),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  const stored = await database().sql<{ last_name: string }>(
    "select last_name from users where first_name = 'pure' or id = any($1) order by last_name",
    [[renamed.id, refused.id, removed.id]],
  );
  assert.deepEqual(
    stored,
    ['new', 'renamed', 'x'].map((last) => ({ last_name: last })),
  );
  await database().sql('drop trigger refuse on users');
});

test('rows locked by another transaction delay no other write, whatever their number', async () => {
  const made = await createMany(6); // More than the app has connections.
  const users = usersOf(app());
  await withClient(database().endpoints.write, session, async (holder) => {
    await holder.query('begin');
    await holder.query('select 1 from users where id = any($1) for update', [made.map(({ id }) => id)]);
    const waiting: Promise<unknown>[] = [];
    for (const { id } of made) {
      waiting.push(users.rename(id, { last_name: 'late' }, someone())); // Each in its own transaction.
      await users.create({ first_name: 'at', last_name: 'once' }, someone());
    }
    await holder.query('commit');
    await Promise.all(waiting);
  });
});

test('many concurrent renames of one user apply in order in a few statements, each with its own result', async () => {
  const users = usersOf(app());
  const user = await users.create({ first_name: '0', last_name: 'x' }, someone());
  let answers: User[] = [];
  const counted = await statementsOn('primary', async () => {
    answers = await Promise.all(
      Array.from({ length: 64 }, async (_, n) => users.rename(user.id, { first_name: String(n) }, someone())),
    );
  });
  assert.deepEqual(
    answers.map(({ first_name: name }) => name),
    Array.from({ length: 64 }, (_, n) => String(n)),
  );
  const times = answers.map(({ updated_at: at }) => at);
  assert.deepEqual(times, [...new Set(times)].toSorted());
  assert.deepEqual(await users.get(user.id, { ...someone(), token: onlyOnPrimary }), answers.at(-1));
  assert.ok(callsOf(counted, 'update users') <= 3, JSON.stringify(counted));
});

test('of two concurrent deletes of one user, one is refused with user_not_found', async () => {
  const [user] = await createMany(1);
  assert(user);
  const users = usersOf(app());
  const first = users.delete(user.id, someone());
  await assert.rejects(users.delete(user.id, someone()), refusedWith('user_not_found'));
  await first;
});

test('writes to absent users share a statement, whatever their number', async () => {
  const users = usersOf(app());
  const writeAll = async (times: number, write: (id: string) => Promise<unknown>): Promise<void> =>
    void (await Promise.all(Array.from({ length: times }, async () => write(randomUUID()).catch(refusedAsMissing))));
  const counted = await statementsOn('primary', async () => {
    await writeAll(128, async (id) => users.delete(id, someone()));
    await writeAll(64, async (id) => users.rename(id, { last_name: 'x' }, someone()));
  });
  // One of each kind, and one for the call that is sent at once because nothing is in flight.
  const calls = callsOf(counted, 'delete from users') + callsOf(counted, 'update users');
  assert.ok(calls <= 3, JSON.stringify(counted));
});

test('a user deleted by the transaction that locked it is not found', async () => {
  const [held, other] = await createMany(2);
  assert(held && other);
  const users = usersOf(app());
  await withClient(database().endpoints.write, session, async (holder) => {
    await holder.query('begin');
    await holder.query('delete from users where id = $1', [held.id]);
    const renaming = assert.rejects(
      users.rename(held.id, { last_name: 'late' }, someone()),
      refusedWith('user_not_found'),
    );
    await users.rename(other.id, { last_name: 'at once' }, someone());
    await holder.query('commit');
    await renaming;
  });
});

test('a row locked by another transaction delays neither its batch nor later calls, and is written afterwards', async () => {
  const made = await createMany(10);
  const [held, ...others] = made;
  assert(held);
  const users = usersOf(app());
  await withClient(database().endpoints.write, session, async (holder) => {
    await holder.query('begin');
    await holder.query('select 1 from users where id = $1 for update', [held.id]);
    let isHeldDone = false;
    const waiting = users.rename(held.id, { last_name: 'late' }, someone()).finally(() => {
      isHeldDone = true;
    });
    const removed = users.delete(made[9]?.id ?? '', someone());
    await renameAll(others.slice(0, 8), 'at once');
    await renameAll(others.slice(0, 8), 'once more');
    await removed;
    assert.equal(isHeldDone, false);
    await holder.query('commit');
    assert.equal((await waiting).last_name, 'late');
  });
});

const writesOfOne: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
  rename: async (id) => usersOf(app()).rename(id, { last_name: 'late' }, someone()),
  delete: async (id) => usersOf(app()).delete(id, someone()),
};
for (const [name, write] of Object.entries(writesOfOne))
  test(`a single ${name} of a locked row delays no other write of its batch, and is done afterwards`, async () => {
    // After a batch of several calls, the next one waits for the calls of its turn.
    const [held] = await createMany(2);
    assert(held);
    await withClient(database().endpoints.write, session, async (holder) => {
      await holder.query('begin');
      await holder.query('select 1 from users where id = $1 for update', [held.id]);
      let isDone = false;
      const waiting = write(held.id).finally(() => (isDone = true));
      await createMany(1);
      assert.equal(isDone, false);
      await holder.query('commit');
      await waiting;
    });
    const [stored] = await database().sql<User>('select last_name from users where id = $1', [held.id]);
    assert.equal(stored?.last_name, name === 'rename' ? 'late' : undefined);
  });

test('a client that disconnects does not affect the others of its batch', async () => {
  const made = await createMany(20);
  await database().replicated();
  const users = usersOf(app());
  const leaving = new AbortController();
  const left = made.map(async ({ id }) => users.get(id, someone(leaving.signal)));
  const staying = made.map(async ({ id }) => users.get(id, someone()));
  const last = assert.rejects(users.list({}, someone(leaving.signal)), /gone/u);
  const allLeft = Promise.allSettled(left);
  setImmediate(() => leaving.abort(new Error('gone')));
  assert.deepEqual(await Promise.all(staying), made);
  await last;
  assert.ok((await allLeft).every((outcome) => outcome.status === 'rejected'));
  const loads = (): BatchedPool['loads'] => app().databases.standbys.all.flatMap(({ batches }) => batches.loads);
  await waitFor('the batches to be empty', () => loads().every(({ waiting, inFlight }) => waiting + inFlight === 0));
});

test('two workers that change and delete the same users in different orders do not deadlock', async () => {
  // Each keeps its row locks until the other has changed some rows, too.
  await database().sql(`create function linger() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.02); return null; end $$;
    create trigger linger after update on users for each statement execute function linger()`);
  await createMany(30);
  const others = await sessions();
  const options = { env: { DB_BATCHING: 'on' } };
  const workers = [
    await createTestApp(database().endpoints, options),
    await createTestApp(database().endpoints, options),
  ];
  try {
    for (let round = 0; round < 10; round += 1) {
      const made = await createMany(30);
      await Promise.all(workers.flatMap((worker) => writeInAnyOrder(usersOf(worker), made)));
    }
  } finally {
    for (const worker of workers) {
      await worker.http.close();
      await worker.close(); // Sessions may report their counters only at their end.
    }
  }
  await database().sql('drop trigger linger on users');
  await waitFor('their sessions to end', async () => (await sessions()) <= others);
  const counted = 'select deadlocks::int from pg_stat_database where datname = current_database()';
  assert.deepEqual(await database().sql(counted), [{ deadlocks: 0 }]);
});

async function sessions(): Promise<number> {
  const sql = "select from pg_stat_activity where datname = current_database() and application_name like 'messenger%'";
  return (await database().sql(sql)).length;
}

/** One transaction changes some users, then deletes others; the second worker does it in the opposite order. */
function writeInAnyOrder(users: Users, made: readonly User[]): Promise<unknown>[] {
  const some = made.filter(() => Math.random() < 0.8).toSorted(() => Math.random() - 0.5);
  return some.map(async ({ id }, n) => {
    const write = n % 2 === 0 ? users.delete(id, someone()) : users.rename(id, { last_name: 'y' }, someone());
    await write.catch(refusedAsMissing);
  });
}

function refusedAsMissing(error: unknown): void {
  assert.ok(refusedWith('user_not_found')(error), String(error));
}
