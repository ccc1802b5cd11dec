import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { queryObjects } from 'node:v8';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { Role } from './pool.ts';
import { statement } from './statement.ts';
import { countRunning, insert, one, pid, refusedWith, sleep, usePools } from '../../test/pools.ts';

const database = useDatabase();
const open = usePools(database);

async function running(text: string, role: Role = 'read'): Promise<number> {
  return await countRunning(database, text, role);
}

describe('connections', () => {
  test('never exceed max open, and those above max idle are closed on return', async () => {
    const pool = open('write', { maxOpen: 3, maxIdle: 1 });
    await Promise.all(Array.from({ length: 20 }, async () => pool.query(sleep, [0.01])));
    const { open: opened } = pool.connections;
    assert.ok(opened <= 3, `${opened} connections`);
    await waitFor('the surplus to close', () => pool.connections.open === 1 && pool.connections.idle === 1);
  });

  test('above max idle stay open while a call waits for one', async () => {
    const pool = open('write', { maxOpen: 1, maxIdle: 0 });
    const pids = await Promise.all(Array.from({ length: 5 }, async () => pool.query(pid, [])));
    assert.equal(new Set(pids.map(([row]) => row?.pid)).size, 1);
    await waitFor('the connection to close', () => pool.connections.open === 0);
  });

  test('stay borrowed until statements sent behind a failed one are answered', async () => {
    const pool = open('write', { maxOpen: 1 });
    const wrong = statement('test.wrong', 'select 1 / 0');
    const behind = statement<{ slept: string }>('test.behind', 'select pg_sleep(0.5)::text as slept');
    await assert.rejects(
      pool.queryThen(async (db) => db.query(wrong, []), { behind }),
      /division by zero/u,
    );
    assert.equal(await running('select pg_sleep', 'write'), 0);
  });

  test('set deadlines that the server enforces without us', async () => {
    await database().sql(`do $$ begin
      execute format('alter database %I set idle_in_transaction_session_timeout = 0', current_database());
    end $$`); // The embedded servers have their own.
    const setting = statement<{ ms: string }, [name: string]>(
      'test.setting',
      'select setting as ms from pg_settings where name = $1',
    );
    const pool = open('write', { statementTimeoutMs: 4_321 });
    assert.deepEqual(await pool.query(setting, ['statement_timeout']), [{ ms: '4321' }]);
    assert.deepEqual(await pool.query(setting, ['idle_in_transaction_session_timeout']), [{ ms: '30000' }]);
  });

  test('hold no references to completed calls', async () => {
    const pool = open('read', { maxOpen: 2 });
    const callOften = async (times: number): Promise<void> => {
      for (let call = 0; call < times; call += 1) await pool.query(one, []);
    };
    await callOften(500);
    const before = Number(queryObjects(Promise));
    await callOften(2_000);
    assert.ok(Number(queryObjects(Promise)) - before < 500, 'a promise or more for each call');
  });

  test('have the name of their role', async () => {
    const pool = open('read');
    await pool.query(one, []);
    const [row] = await database().sqlOnStandby<{ n: number }>(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'pool test read'",
    );
    assert.equal(row?.n, 1);
  });

  test('are replaced at the end of their lifetime', async () => {
    let now = 0;
    const pool = open('write', { maxOpen: 1, lifetimeMs: 60_000 }, { clock: { now: () => now } });
    const [first] = await pool.query(pid, []);
    now = 59_999;
    assert.deepEqual(await pool.query(pid, []), [first]);
    now = 60_000;
    assert.notDeepEqual(await pool.query(pid, []), [first]);
  });

  test('are closed on return when their lifetime ended while they were borrowed', async () => {
    let now = 0;
    const pool = open('write', { maxOpen: 1, lifetimeMs: 60_000 }, { clock: { now: () => now } });
    await pool.transaction(async (tx) => {
      await tx.query(one, []);
      now = 60_000;
    });
    await waitFor('the connection to close', () => pool.connections.open === 0);
  });

  test('of one pool do not expire together', async () => {
    let now = 0;
    const pool = open('write', { maxOpen: 1, lifetimeMs: 100_000 }, { clock: { now: () => now } });
    const jittered = open(
      'write',
      { maxOpen: 1, lifetimeMs: 100_000 },
      { clock: { now: () => now }, random: () => 0.99 },
    );
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

  test('that the server closes while borrowed fail only their statement', async () => {
    const pool = open('write', { maxOpen: 1 });
    const failing = pool.transaction(async (tx) => {
      const [row] = await tx.query(pid, []);
      await database().sql('select pg_terminate_backend($1, 5000)', [row?.pid]);
      await database().sql('select 1'); // By now, the server's message before the close has arrived.
      await tx.query(one, []);
    });
    await assert.rejects(failing, refusedWith('database_unavailable'));
    assert.equal((await pool.query(one, [])).length, 1);
  });

  test('parse a statement once, by prepared statements', async () => {
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
    await waitFor('the statement to end on the server', async () => (await running('select pg_sleep')) === 0, 8_000);
  });

  test('include the wait: a call without a connection in time is refused, and was never sent', async () => {
    const pool = open('write', { maxOpen: 1, statementTimeoutMs: 400 });
    const holding = pool.queryThen(async (db) => db.query(sleep, [30]), { timeoutMs: 2_500 });
    const slow = assert.rejects(holding, refusedWith('statement_timeout'));
    await assert.rejects(pool.query(insert, ['never sent']), refusedWith('pool_exhausted'));
    await slow;
    assert.deepEqual(await database().sql("select 1 from users where first_name = 'never sent'"), []);
  });

  test('a statement gets only the time that the wait has left', async () => {
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

  test('an unavailable server is reported each time', async () => {
    const nowhere = { ...database().endpoints.read, host: '/nonexistent' };
    const pool = open('read', { endpoint: nowhere, maxOpen: 1, statementTimeoutMs: 500 });
    for (let call = 1; call <= 2; call += 1) {
      await assert.rejects(pool.query(one, []), refusedWith('database_unavailable'));
    }
  });

  test('a server that accepts connections and never answers is abandoned in time', async () => {
    const silent = createServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    silent.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = silent.address();
    assert(typeof address === 'object' && address !== null);
    const endpoint = { ...database().endpoints.read, host: '127.0.0.1', port: address.port };
    const pool = open('read', { endpoint, statementTimeoutMs: 200, connectTimeoutMs: 1_000 });
    const began = performance.now();
    await assert.rejects(pool.query(one, []), refusedWith('database_unavailable'));
    assert.ok(performance.now() - began < 900, 'it was given up by its deadline, not by that of connecting');
    silent.close();
  });
});

describe('callers that abort', () => {
  test('a running read is cancelled on the server, and its connection is not reused', async () => {
    const pool = open('read', { maxOpen: 1 });
    const caller = new AbortController();
    const [before] = await pool.query(pid, []);
    const slow = assert.rejects(pool.query(sleep, [30], caller.signal), /gone/u);
    await waitFor('the read to run', async () => (await running('select pg_sleep')) === 1);
    caller.abort(new Error('gone'));
    await slow;
    await waitFor('the read to end on the server', async () => (await running('select pg_sleep')) === 0, 8_000);
    assert.notDeepEqual(await pool.query(pid, []), [before]);
  });

  test('a running write completes, and a pending write is never sent', async () => {
    const pool = open('write', { maxOpen: 1 });
    const caller = new AbortController();
    const slow = pool.query(sleep, [0.5], caller.signal);
    await waitFor('the write to run', async () => (await running('select pg_sleep', 'write')) === 1);
    const waiting = assert.rejects(pool.query(insert, ['left the queue'], caller.signal), /gone/u);
    caller.abort(new Error('gone'));
    await waiting;
    assert.equal(pool.connections.waiting, 0);
    assert.equal(await running('select pg_sleep', 'write'), 1, 'it did not wait for its turn to leave');
    assert.equal((await slow).length, 1);
    assert.deepEqual(await database().sql("select 1 from users where first_name = 'left the queue'"), []);
  });
});

describe('callers that aborted', () => {
  test('while a connection was being opened leave it to the next caller', async () => {
    const pool = open('write', { maxOpen: 1, statementTimeoutMs: 2_000 });
    const caller = new AbortController();
    const left = pool.query(one, [], caller.signal);
    caller.abort(new Error('gone'));
    await assert.rejects(left, /gone/u);
    assert.equal((await pool.query(one, [])).length, 1);
  });

  test("after their read ended do not cancel the next caller's read", async () => {
    const pool = open('read', { maxOpen: 1 });
    const caller = new AbortController();
    await pool.query(one, [], caller.signal);
    const next = pool.query(sleep, [0.3]);
    await waitFor('the read to run', async () => (await running('select pg_sleep')) === 1);
    caller.abort(new Error('gone'));
    assert.equal((await next).length, 1);
  });
});

describe('transactions', () => {
  const count = async (name: string): Promise<number> =>
    (await database().sql('select 1 from users where first_name = $1', [name])).length;

  test('write everything', async () => {
    const pool = open('write');
    await pool.transaction(async (tx) => {
      await tx.query(insert, ['both']);
      await tx.query(insert, ['both']);
    });
    assert.equal(await count('both'), 2);
  });

  test('or nothing: those that failed reject with the thrown error, and leave no open transaction', async () => {
    const pool = open('write', { maxOpen: 1 });
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['half']);
      throw new Error('changed my mind');
    });
    await assert.rejects(failing, /changed my mind/u);
    await pool.query(insert, ['after']);
    assert.equal(await count('after'), 1);
    assert.equal(await count('half'), 0);
  });

  test('with a timed-out statement write nothing, and the next call is served', async () => {
    const pool = open('write', { maxOpen: 1, statementTimeoutMs: 300 });
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['late']);
      await tx.query(sleep, [30]);
    });
    await assert.rejects(failing, refusedWith('statement_timeout'));
    await pool.query(insert, ['after the late one']);
    assert.equal(await count('after the late one'), 1);
    assert.equal(await count('late'), 0);
  });

  test('that ignore a failed statement reject at commit', async () => {
    const pool = open('write');
    const failing = pool.transaction(async (tx) => {
      await tx.query(insert, ['swallowed']);
      await tx.query(insert, ['x'.repeat(101)]).catch(() => undefined);
    });
    await assert.rejects(failing, /nothing was written/u);
    assert.equal(await count('swallowed'), 0);
  });

  test('throw when tx is used after their end', async () => {
    const pool = open('write');
    const leaked = await pool.transaction(async (tx) => tx);
    await assert.rejects(leaked.query(one, []), /the transaction is over/u);
    let fromFailure = leaked;
    const failing = pool.transaction(async (tx) => {
      fromFailure = tx;
      throw new Error('changed my mind');
    });
    await assert.rejects(failing, /changed my mind/u);
    await assert.rejects(fromFailure.query(one, []), /the transaction is over/u);
  });

  test('roll back when the caller aborts before their end', async () => {
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

test("timestamps keep microseconds, sort as text, and are in UTC whatever the server's time zone", async () => {
  await database().sql(`do $$ begin
    execute format('alter database %I set timezone to ''Asia/Tokyo''', current_database());
    execute format('alter database %I set datestyle to ''German''', current_database());
  end $$`);
  await database().replicated();
  const moment = statement<{ at: string }, [text: string]>('test.moment', 'select $1::timestamptz as at');
  const pool = open('read');
  for (const [text, expected] of [
    ['2026-01-28 12:00:00.123456+02', '2026-01-28T10:00:00.123456Z'],
    ['2026-01-28 12:00:00.12Z', '2026-01-28T12:00:00.120000Z'],
    ['2026-01-28 12:00:00Z', '2026-01-28T12:00:00.000000Z'],
  ] as const) {
    assert.deepEqual(await pool.query(moment, [text]), [{ at: expected }]);
  }
});

test('only pools to the primary have transactions, by their types', () => {
  const pool = open('read');
  // @ts-expect-error -- A read pool has no transactions.
  void (() => pool.transaction(async () => undefined));
});
