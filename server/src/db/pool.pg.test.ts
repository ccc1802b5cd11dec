import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { createLog } from '../telemetry/log.ts';
import { Pool, type PoolOptions, type Role } from './pool.ts';
import { statement } from './statement.ts';

const database = useDatabase();
const log = createLog({ level: 'silent', name: 'test', pretty: false });
const one = statement<{ n: number }>('test.one', 'select 1 as n');
const sleep = statement<{ slept: string }, [seconds: number]>('test.sleep', 'select pg_sleep($1)::text as slept');
const pid = statement<{ pid: number }>('test.pid', 'select pg_backend_pid() as pid');
const insert = statement<never, [name: string]>(
  'test.insert',
  "insert into users (first_name, last_name) values ($1, 'x')",
);

const pools: Pool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map(async (pool) => pool.close()));
});

function open<R extends Role>(
  role: R,
  options: Partial<PoolOptions> = {},
  clock: Clock = performance,
  random: () => number = () => 0,
): Pool<R> {
  const defaults = {
    endpoint: database().endpoints[role],
    applicationName: `pool test ${role}`,
    maxOpen: 4,
    maxIdle: 4,
    maxWaiting: 100,
    lifetimeMs: 600_000,
    idleTimeMs: 300_000,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
  };
  const pool = new Pool({ ...defaults, ...options, role }, { clock, random, log });
  pools.push(pool);
  return pool;
}

function refusedWith(code: string) {
  return (error: unknown): boolean => error instanceof AppError && error.code === code;
}

async function running(text: string, role: Role = 'read'): Promise<number> {
  const sql = `select 1 from pg_stat_activity where query like $1 and state = 'active' and application_name <> 'test'`;
  const rows = role === 'write' ? database().sql(sql, [`${text}%`]) : database().sqlOnStandby(sql, [`${text}%`]);
  return (await rows).length;
}

describe('connections', () => {
  test('never more than max open, and the surplus over max idle is closed when it is given back', async () => {
    const pool = open('write', { maxOpen: 3, maxIdle: 1 });
    await Promise.all(Array.from({ length: 20 }, async () => pool.query(sleep, [0.01])));
    const { open: opened } = pool.connections;
    assert.ok(opened <= 3, `${opened} connections`);
    await waitFor('the surplus to close', () => pool.connections.open === 1 && pool.connections.idle === 1);
  });

  test('carry the name of their role', async () => {
    const pool = open('read');
    await pool.query(one, []);
    const [row] = await database().sqlOnStandby<{ n: number }>(
      "select count(*)::int as n from pg_stat_activity where application_name = 'pool test read'",
    );
    assert.equal(row?.n, 1);
  });

  test('are replaced when their lifetime is over', async () => {
    let now = 0;
    const pool = open('write', { maxOpen: 1, lifetimeMs: 60_000 }, { now: () => now });
    const [first] = await pool.query(pid, []);
    now = 59_999;
    assert.deepEqual(await pool.query(pid, []), [first]);
    now = 60_000;
    assert.notDeepEqual(await pool.query(pid, []), [first]);
  });

  test('of one pool do not all end at once', async () => {
    let now = 0;
    const options = { maxOpen: 1, lifetimeMs: 100_000 };
    const clock = { now: () => now };
    const pool = open('write', options, clock);
    const jittered = open('write', options, clock, () => 0.99);
    const before = [await pool.query(pid, []), await jittered.query(pid, [])];
    now = 95_000;
    assert.deepEqual(await pool.query(pid, []), before[0]);
    assert.notDeepEqual(await jittered.query(pid, []), before[1]);
  });

  test('that the server closed are replaced, and the next call succeeds', async () => {
    const pool = open('write', { maxOpen: 1 });
    const [first] = await pool.query(pid, []);
    await database().sql('select pg_terminate_backend($1)', [first?.pid]);
    await waitFor('the connection to be dropped', () => pool.connections.open === 0);
    assert.equal((await pool.query(one, [])).length, 1);
  });

  test('use named prepared statements: a statement is parsed once per connection', async () => {
    const pool = open('write', { maxOpen: 1 });
    const prepared = statement<{ n: number }>(
      'test.prepared',
      'select count(*)::int as n from pg_prepared_statements where name = $$test.prepared$$',
    );
    await pool.query(prepared, []);
    assert.deepEqual(await pool.query(prepared, []), [{ n: 1 }]);
  });
});

describe('deadlines', () => {
  test('a statement that takes too long is cancelled on the server and refused', async () => {
    const pool = open('read', { statementTimeoutMs: 300 });
    await assert.rejects(pool.query(sleep, [30]), refusedWith('statement_timeout'));
    await waitFor('the statement to end on the server', async () => (await running('select pg_sleep')) === 0, 2_000);
  });

  test('waiting for a connection counts: a call that gets none in time is refused, and was never sent', async () => {
    const pool = open('write', { maxOpen: 1, statementTimeoutMs: 400 });
    const slow = assert.rejects(pool.query(sleep, [30]), refusedWith('statement_timeout'));
    await assert.rejects(pool.query(insert, ['never sent']), refusedWith('pool_exhausted'));
    await slow;
    assert.deepEqual(await database().sql("select 1 from users where first_name = 'never sent'"), []);
  });

  test('a statement gets only what the wait has left of its time', async () => {
    const pool = open('read', { maxOpen: 1, statementTimeoutMs: 2_000 });
    const first = pool.query(sleep, [1.2]);
    const began = performance.now();
    await assert.rejects(pool.query(sleep, [30]), refusedWith('statement_timeout'));
    const took = performance.now() - began;
    await first;
    assert.ok(took < 3_000, `${took} ms: the wait of 1.2 s was given on top`);
  });

  test('the queue for a connection has a bound', async () => {
    const pool = open('write', { maxOpen: 1, maxWaiting: 2 });
    const accepted = [pool.query(sleep, [0.2]), pool.query(one, []), pool.query(one, [])];
    await assert.rejects(pool.query(one, []), refusedWith('pool_exhausted'));
    await Promise.all(accepted);
  });

  test('a server that is not there is told as such', async () => {
    const nowhere = { ...database().endpoints.read, host: '/nonexistent' };
    await assert.rejects(open('read', { endpoint: nowhere }).query(one, []), refusedWith('database_unavailable'));
  });
});

describe('callers that go away', () => {
  test('a read that runs is cancelled on the server, and its connection is not used again', async () => {
    const pool = open('read', { maxOpen: 1 });
    const caller = new AbortController();
    const [before] = await pool.query(pid, []);
    const slow = assert.rejects(pool.query(sleep, [30], caller.signal), /gone/u);
    await waitFor('the read to run', async () => (await running('select pg_sleep')) === 1);
    caller.abort(new Error('gone'));
    await slow;
    await waitFor('the read to end on the server', async () => (await running('select pg_sleep')) === 0, 2_000);
    assert.notDeepEqual(await pool.query(pid, []), [before]);
  });

  test('a write that runs is finished, and a write that waits is never sent', async () => {
    const pool = open('write', { maxOpen: 1 });
    const caller = new AbortController();
    const slow = pool.query(sleep, [0.5], caller.signal);
    await waitFor('the write to run', async () => (await running('select pg_sleep', 'write')) === 1);
    const waiting = assert.rejects(pool.query(insert, ['left the queue'], caller.signal), /gone/u);
    caller.abort(new Error('gone'));
    await waiting;
    assert.equal((await slow).length, 1);
    assert.deepEqual(await database().sql("select 1 from users where first_name = 'left the queue'"), []);
  });
});

describe('transactions', () => {
  const count = async (name: string): Promise<number> =>
    (await database().sql('select 1 from users where first_name = $1', [name])).length;

  test('write all of it', async () => {
    const pool = open('write');
    await pool.transaction(async (tx) => {
      await tx.query(insert, ['both']);
      await tx.query(insert, ['both']);
    });
    assert.equal(await count('both'), 2);
  });

  test('or nothing, and the error is the one that was thrown', async () => {
    const pool = open('write');
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['neither']);
      throw new Error('changed my mind');
    });
    await assert.rejects(failing, /changed my mind/u);
    assert.equal(await count('neither'), 0);
  });

  test('that swallowed a failed statement do not pretend to have written', async () => {
    const pool = open('write');
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['swallowed']);
      await tx.query(insert, ['x'.repeat(101)]).catch(() => undefined);
    });
    await assert.rejects(failing, /nothing was written/u);
    assert.equal(await count('swallowed'), 0);
  });

  test('throw when tx leaks out of them', async () => {
    const pool = open('write');
    const leaked = await pool.transaction(async (tx) => tx);
    await assert.rejects(leaked.query(one, []), /the transaction is over/u);
  });

  test('roll back when the caller is gone before they end', async () => {
    const pool = open('write');
    const caller = new AbortController();
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['interrupted']);
      caller.abort(new Error('gone'));
      await tx.query(insert, ['interrupted']);
    }, caller.signal);
    await assert.rejects(failing, /gone/u);
    assert.equal(await count('interrupted'), 0);
    assert.equal((await pool.query(one, [])).length, 1);
  });
});

test('timestamps keep their microseconds', async () => {
  const moment = statement<{ at: string }>('test.moment', "select timestamptz '2026-01-28 12:00:00.123456+02' as at");
  assert.deepEqual(await open('read').query(moment, []), [{ at: '2026-01-28T10:00:00.123456Z' }]);
});

test('a transaction needs a pool to the primary: the types say so', () => {
  const pool = open('read');
  // @ts-expect-error -- A read pool has no transactions.
  void (() => pool.transaction(async () => undefined));
});
