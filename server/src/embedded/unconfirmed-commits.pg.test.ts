import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { refusedWith, usePools } from '../../test/pools.ts';
import { statement } from '../db/statement.ts';
import type { EmbeddedPair } from './pair.ts';
import { ask, eventually, makeTestSite, soon, type TestSite } from './test-pair.ts';

let site: TestSite;
let pair: EmbeddedPair;

before(async () => {
  site = await makeTestSite();
  const { primary = {}, standby = {} } = site.options.overrides ?? {};
  // Commits wait for a standby that does not exist, whatever the real one confirms.
  const waiting = { ...primary, synchronous_standby_names: 'absent' };
  pair = site.pair({ durability: 'standby', overrides: { primary: waiting, standby } });
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (name text)');
  await ask(pair, 'write', 'grant all on kept to public');
});

after(async () => {
  await pair.stop(soon());
  await site.remove();
});

const open = usePools(() => ({
  endpoints: { write: { ...pair.endpoints.write, database: 'postgres' }, read: pair.endpoints.read },
}));
const keep = statement<never, [name: string]>('test.keep', 'insert into kept values ($1)');
const waiting = `from pg_stat_activity where wait_event = 'SyncRep'`;

/** Cancels the waits for the standby. */
async function cancelWaiting(): Promise<void> {
  await eventually(async () => (await ask(pair, 'write', `select 1 ${waiting}`)).length > 0);
  await ask(pair, 'write', `select pg_cancel_backend(pid) ${waiting}`);
}

test('a commit cancelled during its wait for the standby is not acknowledged, alone or in a transaction', async () => {
  const pool = open('write', { statementTimeoutMs: 20_000 });
  const alone = assert.rejects(pool.query(keep, ['alone']), refusedWith('outcome_unknown'));
  await cancelWaiting();
  await alone;
  const transaction = pool.queryThen(async (db) => db.query(keep, ['together']), { isTransaction: true });
  const together = assert.rejects(transaction, refusedWith('outcome_unknown'));
  await cancelWaiting();
  await together;
  // PostgreSQL has committed both anyway.
  assert.deepEqual(await ask(pair, 'write', 'select name from kept'), ['alone', 'together']);
});

test('a commit that times out during its wait for the standby is not acknowledged', async () => {
  const pool = open('write', { statementTimeoutMs: 300 });
  await assert.rejects(pool.query(keep, ['late']), refusedWith('outcome_unknown'));
});

test('an unconfirmed commit is not a success, even in a database whose sessions hide warnings', async (t) => {
  await ask(pair, 'write', 'alter database postgres set client_min_messages = error');
  t.after(async () => ask(pair, 'write', 'alter database postgres reset client_min_messages'));
  const hidden = open('write', { statementTimeoutMs: 20_000 });
  const kept = assert.rejects(hidden.query(keep, ['hidden']), refusedWith('outcome_unknown'));
  await cancelWaiting();
  await kept;
});
