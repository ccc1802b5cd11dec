import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { QueryResultRow } from 'pg';

import { someone } from '../../test/users.ts';
import { GroupCommit } from '../db/group-commit.ts';
import type { Pool } from '../db/pool.ts';
import { primaryPosition } from '../db/position.ts';
import type { Queryable } from '../db/statement.ts';
import { Writes } from '../db/writes.ts';
import { monotonicClock } from '../lib/clock.ts';
import { Turn } from '../lib/turn.ts';
import { UserWriter } from './user-writer.ts';

/** A server that returns the rows of an insert in the reverse order. */
const reversing: Queryable = {
  query: async <Row extends QueryResultRow>(_wanted: unknown, [firstNames]: readonly unknown[]) => {
    assert.ok(Array.isArray(firstNames));
    const rows = firstNames.map((name: unknown, index) => ({ place: index + 1, first_name: name }));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The columns that the test needs.
    return rows.toReversed() as unknown as Row[];
  },
};

test('created users are in the order of their calls, whatever the order of the rows', async () => {
  const pool: Pick<Pool<'write'>, 'queryThen'> = {
    queryThen: async (send) => ({ result: await send(reversing), after: undefined }),
  };
  const limits = { maxInFlight: 1, maxSize: 100, maxWaiting: 100, maxWaitMs: 1_000 };
  const services = { clock: monotonicClock, turn: new Turn(monotonicClock), position: primaryPosition };
  const writer = new UserWriter(new Writes(new GroupCommit(pool, { limits, ...services, maxDeferred: 1 })));
  const names = ['Ada', 'Grace', 'Edsger'];
  const made = await Promise.all(
    names.map(async (name) => writer.insert({ first_name: name, last_name: 'x' }, someone())),
  );
  assert.deepEqual(
    made,
    names.map((name) => ({ first_name: name })),
  );
});
