import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { refusedWith } from '../../test/pools.ts';
import { settle } from '../../test/scripted-batch.ts';
import { Turn } from '../lib/turn.ts';
import type { BatchableWrite } from './batchable.ts';
import { GroupCommit } from './group-commit.ts';
import type { Pool } from './pool.ts';
import { primaryPosition } from './position.ts';
import { statement, type Queryable } from './statement.ts';
import { Writes, type Write } from './writes.ts';

const clock = { nowMs: 0, now: () => clock.nowMs };
const caller = () => ({ lifetime: new AbortController().signal, token: undefined, seen: undefined });
const never = async (): Promise<never> => Promise.withResolvers<never>().promise;
const silent: Queryable = { query: never };
const rename = statement<{ id: string }, [id: string]>('test.rename', 'update');

/** With one row as key, so calls with the same id are sequential. */
const renaming: BatchableWrite<string, string | undefined> = {
  name: 'test.rename',
  keyOf: (id) => id,
  one: async (db, id) => (await db.query(rename, [id]))[0]?.id,
  many: async (db, ids) => (await db.query(rename, [ids.join('')])).map(({ id }) => id),
};

let hasConnection: boolean;
let timeoutsMs: (number | undefined)[];
let write: Write<string, string | undefined>;

beforeEach(() => {
  clock.nowMs = 0;
  hasConnection = true;
  timeoutsMs = [];
  const pool: Pick<Pool<'write'>, 'queryThen'> = {
    queryThen: async (send, { timeoutMs }) => {
      timeoutsMs.push(timeoutMs);
      if (hasConnection) await send(silent);
      return await never();
    },
  };
  const limits = { maxInFlight: 1, maxSize: 100, maxWaiting: 100, maxWaitMs: 1_000 };
  const turn = new Turn(performance);
  const commits = new GroupCommit(pool, { limits, clock, turn, position: primaryPosition, maxDeferred: 1 });
  write = new Writes(commits).prepare(renaming);
});

test('a sent write has an unknown outcome at its deadline; a pending one has written nothing', async () => {
  const sent = assert.rejects(write('a', caller()), refusedWith('outcome_unknown'));
  await settle();
  const waiting = assert.rejects(write('b', caller()), refusedWith('pool_exhausted'));
  clock.nowMs = 1_000;
  await Promise.all([sent, waiting]);
});

test('a write without a connection at its deadline has written nothing', async () => {
  hasConnection = false;
  const late = assert.rejects(write('a', caller()), refusedWith('pool_exhausted'));
  await settle();
  clock.nowMs = 1_000;
  await late;
});

test('a write that waited for another one of its row keeps its deadline', async () => {
  const first = assert.rejects(write('a', caller()), refusedWith('outcome_unknown'));
  await settle();
  clock.nowMs = 400;
  const second = assert.rejects(write('a', caller()), refusedWith('pool_exhausted'));
  clock.nowMs = 1_000;
  await first;
  clock.nowMs = 1_400;
  await second;
  assert.deepEqual(timeoutsMs, [1_000]);
});
