import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { recordLog } from '../../test/log-lines.ts';
import { sleep, usePools } from '../../test/pools.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import { withClient } from '../db/session.ts';
import { observeDbBy } from '../db/observer.ts';
import { SlowStatements } from './slow-statements.ts';

const database = useDatabase();
const openPool = usePools(database);
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
const locked = "select 1 from pg_locks where mode = 'AccessExclusiveLock' and relation = 'users'::regclass";
const told = 'a statement was slow';

describe('a slow statement', () => {
  test('has a line with its name, pool, time and deadline, and without its values', async () => {
    const { log, lines, text } = recordLog();
    const slow = new SlowStatements(log, { slowMs: 200, now: () => 1_000 });
    const pool = openPool('read', { statementTimeoutMs: 5_000 }, { observer: observeDbBy([slow]) });
    await pool.query(sleep, [0.271828]);
    await pool.query(sleep, [0]);
    slow.close();
    const [line] = lines(told);
    assert.equal(lines(told).length, 1, 'the quick one has none');
    assert.partialDeepStrictEqual(line, {
      level: 40,
      pool: 'read',
      statement: 'test.sleep',
      batchSize: 1,
      failed: false,
    });
    assert.ok(Number(line?.['durationMs']) >= 271);
    assert.ok(Number(line?.['deadlineMs']) > 4_000);
    assert.doesNotMatch(text(), /271828|pg_sleep/u);
    assert.partialDeepStrictEqual(slow.recent, [{ atMs: 1_000, statement: 'test.sleep' }]);
  });

  test('that waits for a row lock is logged with its batch size, request and trace, and without user data', async () => {
    const { log, lines, text } = recordLog();
    const app = await createTestApp(database().endpoints, { log, env: { SLOW_STATEMENT_MS: '150' } });
    const users = usersOf(app);
    let requestId: unknown;
    const { id } = await users.create({ first_name: 'hunter2', last_name: 'x' }, someone());
    await withClient(database().endpoints.write, session, async (client) => {
      await client.query('begin');
      await client.query('select 1 from users where id = $1 for update', [id]);
      const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
      const change = {
        method: 'PATCH',
        url: `/api/v1/users/${id}`,
        payload: { last_name: 'hunter2' },
        headers,
      } as const;
      const renaming = app.http.inject(change).then((answer) => answer.headers['request-id']);
      await waitFor('the statement to wait', async () => (await database().sql(waiting)).length > 0);
      await client.query('select pg_sleep(0.2)');
      await client.query('commit');
      requestId = await renaming;
    });
    await app.http.close();
    await app.close();
    assert.partialDeepStrictEqual(lines(told), [
      { pool: 'write', statement: 'users.update', batchSize: 1, requestId, traceId },
    ]);
    assert.doesNotMatch(text(), new RegExp(`hunter2|${id}`, 'u'));
  });

  test('of reads on the standby is logged with its first request', async () => {
    const { log, lines } = recordLog();
    const app = await createTestApp(database().endpoints, {
      log,
      env: { SLOW_STATEMENT_MS: '150', DB_BATCHING: 'on' },
    });
    await waitFor('the standby to be read from', () => app.databases.standbys.isAnyFit);
    let requestIds: unknown[] = [];
    await withClient(database().endpoints.write, session, async (client) => {
      await client.query('begin; lock table users in access exclusive mode');
      // The lock reaches the standby with the next commit.
      await database().sql("select pg_logical_emit_message(true, 'test', '')");
      await waitFor('the standby to have the lock', async () => (await database().sqlOnStandby(locked)).length > 0);
      const lists = [1, 2].map(async () => app.http.inject('/api/v1/users'));
      await waitFor('the reads to wait', async () => (await database().sqlOnStandby(waiting)).length > 0);
      await client.query('select pg_sleep(0.2)');
      await client.query('commit');
      requestIds = (await Promise.all(lists)).map(({ headers }) => headers['request-id']);
    });
    await app.http.close();
    await app.close();
    const line = lines(told).find(({ statement }) => statement === 'users.page') ?? {};
    assert.partialDeepStrictEqual(line, { pool: 'read', requestId: requestIds[0] });
    assert.ok(!('traceId' in line));
  });

  test('is kept for /ops: the last twenty, also when the log omits lines', () => {
    const { log, lines } = recordLog();
    const slow = new SlowStatements(log, { slowMs: 1, now: () => 0 });
    const ended = { pool: 'write', beganMs: 0, deadlineMs: 5_000, batchSize: 7, failed: true } as const;
    for (let n = 1; n <= 50; n += 1) slow.statementEnded({ ...ended, name: `s${n}`, durationMs: n });
    slow.close();
    assert.equal(slow.recent.length, 20);
    assert.equal(slow.recent[0]?.statement, 's31');
    assert.equal(lines(told).length, 10);
    assert.equal(lines('slow statements were not logged one by one')[0]?.['count'], 40);
  });
});
