import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { one, sleep, usePools } from '../../test/pools.ts';
import { observeDbBy, type EndedStatement, type EndedWait } from './observer.ts';
import { statement } from './statement.ts';

const openPool = usePools(useDatabase());
const wrong = statement('test.wrong', 'select 1 from nowhere');

test('an observer gets each statement by its name, and whether it failed', async () => {
  const ended: EndedStatement[] = [];
  const observer = observeDbBy([{}, { statementEnded: (statementEnded) => ended.push(statementEnded) }]);
  const pool = openPool('read', {}, { observer });
  await pool.query(one, []);
  await assert.rejects(pool.query(wrong, []));
  await assert.rejects(pool.query(sleep, [60], AbortSignal.timeout(50)));
  assert.deepEqual(
    ended.map(({ pool: role, name, failed }) => ({ role, name, failed })),
    [
      { role: 'read', name: 'test.one', failed: false },
      { role: 'read', name: 'test.wrong', failed: true },
      { role: 'read', name: 'test.sleep', failed: true },
    ],
  );
  assert.ok(ended.every(({ durationMs }) => durationMs > 0));
});

test('an observer gets only the calls that waited for a connection', async () => {
  const waits: EndedWait[] = [];
  const observer = observeDbBy([{ waitEnded: (wait) => waits.push(wait) }]);
  const pool = openPool('write', { maxOpen: 1 }, { observer });
  await pool.query(one, []);
  assert.deepEqual(waits, []);
  await Promise.all([pool.query(sleep, [0.1]), pool.query(one, []), pool.query(one, [])]);
  assert.equal(waits.length, 2);
  assert.ok(waits.every(({ pool: role, ms }) => role === 'write' && ms > 0));
});

test('without observers, nothing is observed', () => {
  assert.equal(observeDbBy([]), undefined);
});
