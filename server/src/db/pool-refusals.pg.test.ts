/** A pool whose server refuses further connections, while open ones work. */
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { recordLog } from '../../test/log-lines.ts';
import { one, pid, refusedWith, sleep, usePools } from '../../test/pools.ts';
import { waitFor } from '../../test/wait-for.ts';
import { roles } from '../embedded/settings.ts';
import type { Pool } from './pool.ts';

const database = useDatabase();
const open = usePools(database);
const role = 'pool_refusals';

before(async () => {
  await database.created;
  await database().sql(`create role ${role} login in role ${roles.application}`);
});
afterEach(async () => database().sql(`alter role ${role} login connection limit -1`));
database.beforeDrop(async () => void (await database().sql(`drop role ${role}`)));

function openPool(maxOpen: number): { readonly pool: Pool<'write'>; readonly refusals: () => number } {
  const { log, lines } = recordLog();
  const endpoint = { ...database().endpoints.write, user: role };
  const pool = open('write', { endpoint, maxOpen, maxIdle: maxOpen }, { log });
  return { pool, refusals: () => lines('the database refused a further connection; calls share the open ones').length };
}

async function pidsOf(pool: Pool<'write'>, calls: number): Promise<number> {
  const running = Array.from({ length: calls }, async () =>
    pool.transaction(async (tx) => {
      await tx.query(sleep, [0.02]);
      return await tx.query(pid, []);
    }),
  );
  return new Set((await Promise.all(running)).map(([row]) => row?.pid)).size;
}

test('a role that can no longer log in keeps its connections: calls share them, with one log line', async () => {
  const { pool, refusals } = openPool(4);
  await pool.query(one, []);
  await database().sql(`alter role ${role} nologin`);
  assert.equal(await pidsOf(pool, 12), 1);
  assert.equal(refusals(), 1);
});

test('a full server serves all calls over the open connections', async () => {
  const { pool } = openPool(8);
  await database().sql(`alter role ${role} connection limit 2`);
  await pool.query(one, []);
  assert.equal(await pidsOf(pool, 20), 2);
});

test('calls waiting for the last connection are refused when it ends', async () => {
  const { pool, refusals } = openPool(2);
  const holding = pool.transaction(async (tx) => {
    const [row] = await tx.query(pid, []);
    await database().sql(`alter role ${role} nologin`);
    const waiting = assert.rejects(pool.query(one, []), refusedWith('database_unavailable'));
    await waitFor('the refusal', () => refusals() === 1);
    await database().sql('select pg_terminate_backend($1, 5000)', [row?.pid]);
    await waiting;
    await tx.query(one, []);
  });
  await assert.rejects(holding, refusedWith('database_unavailable'));
});

test('a call without any open connection is refused at once', async () => {
  const { pool } = openPool(2);
  await database().sql(`alter role ${role} nologin`);
  await assert.rejects(pool.query(one, []), refusedWith('database_unavailable'));
});
