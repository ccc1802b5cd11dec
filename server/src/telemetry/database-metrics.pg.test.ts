/** The metrics of real pools. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { valueOf, valuesOf } from '../../test/metric-values.ts';
import { one, sleep, usePools } from '../../test/pools.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { Pool } from '../db/pool.ts';
import { statement } from '../db/statement.ts';
import { countStatements, readDatabases } from './database-metrics.ts';
import { Metrics } from './metrics.ts';

const openPool = usePools(useDatabase());
const wrong = statement('test.wrong', 'select 1 from nowhere');

test('statements that waited for a connection are counted, with the wait in seconds', async () => {
  const metrics = new Metrics();
  const pool = openPool('write', { maxOpen: 1 }, { observer: countStatements(metrics) });
  await pool.query(one, []);
  assert.equal(valueOf(metrics, 'messenger_db_waits_total', 'write'), undefined);
  await Promise.all([pool.query(sleep, [0.2]), pool.query(one, []), pool.query(one, [])]);
  assert.equal(valueOf(metrics, 'messenger_db_waits_total', 'write'), 2);
  const seconds = valueOf(metrics, 'messenger_db_wait_seconds_total', 'write') ?? 0;
  assert.ok(seconds > 0.3 && seconds < 10, `twice 0.2 s, not ms: ${seconds}`);
  assert.equal(valueOf(metrics, 'messenger_db_waits_total', 'read'), undefined);
});

test('a failed statement is counted by its name, and its duration is recorded', async () => {
  const metrics = new Metrics();
  const pool = openPool('read', {}, { observer: countStatements(metrics) });
  await pool.query(one, []);
  await assert.rejects(pool.query(wrong, []));
  await assert.rejects(pool.query(sleep, [60], AbortSignal.timeout(300)));
  const failures = (name: string): unknown => valueOf(metrics, 'messenger_db_statement_failures_total', 'read', name);
  assert.deepEqual([failures('test.wrong'), failures('test.sleep'), failures('test.one')], [1, 1, undefined]);
  const took = valuesOf(metrics, 'messenger_db_statement_duration_seconds', 'read', 'test.sleep') ?? [];
  assert.equal(
    took.slice(0, -1).reduce((sum, count) => sum + count),
    1,
  );
  assert.ok((took.at(-1) ?? 0) > 0.1 && (took.at(-1) ?? 0) < 10, `in seconds: ${took.at(-1)}`);
});

/** Open, idle and waiting. */
function stateOf(pool: Pool): readonly unknown[] {
  const metrics = new Metrics();
  const outcomes = { standby: 0, waited: 0, primaryForAbsence: 0, primaryForToken: 0, primaryForDoubt: 0 };
  readDatabases(metrics, { pools: [pool], batches: [], reads: { outcomes } });
  const connections = (state: string): unknown => valueOf(metrics, 'messenger_db_connections', 'read', state);
  return [connections('open'), connections('idle'), valueOf(metrics, 'messenger_db_waiting', 'read')];
}

test('connections in use count as open, and unused ones as open and idle', async () => {
  const pool = openPool('read', { maxOpen: 3 });
  assert.deepEqual(stateOf(pool), [0, 0, 0]);
  await Promise.all([pool.query(sleep, [0.05]), pool.query(sleep, [0.05]), pool.query(sleep, [0.05])]);
  await waitFor('them to come back', () => pool.connections.idle === 3);
  assert.deepEqual(stateOf(pool), [3, 3, 0]);
  const leaving = new AbortController();
  const running = [1, 2, 3, 4, 5].map(async () => pool.query(sleep, [60], leaving.signal));
  await waitFor('three to be lent out', () => stateOf(pool).join() === '3,0,2');
  leaving.abort();
  assert.deepEqual(new Set((await Promise.allSettled(running)).map(({ status }) => status)), new Set(['rejected']));
});
