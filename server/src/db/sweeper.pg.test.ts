import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { recordLog } from '../../test/log-lines.ts';
import { usePools } from '../../test/pools.ts';
import { waitFor } from '../../test/wait-for.ts';
import { statement } from './statement.ts';
import { Sweeper, type SweepStep } from './sweeper.ts';

const database = useDatabase();
const open = usePools(database);

const removeThree = statement<{ n: number }>(
  'test.sweep',
  'delete from users where id = any (array (select id from users limit 3)) returning 1 as n',
);
const removeSome: SweepStep = async (tx) => (await tx.query(removeThree, [])).length;

const count = async (): Promise<number> => (await database().sql('select 1 from users')).length;

beforeEach(async () => {
  await database().sql(`insert into users (first_name, last_name) select 'a', 'b' from generate_series(1, 10)`);
});

/** Its timer waits for `firstMs`. */
function createSweeper(steps: readonly SweepStep[], firstMs = 60_000) {
  const { log, text } = recordLog();
  return { sweeper: new Sweeper(open('write'), steps, { random: () => firstMs / 60_000, log }), text };
}

test('a round takes steps until nothing is left', async () => {
  const { sweeper } = createSweeper([removeSome]);
  await sweeper.sweep();
  await sweeper.close();
  assert.equal(await count(), 0);
});

test('rounds begin without a call', async () => {
  const { sweeper } = createSweeper([removeSome], 0);
  await waitFor('round', async () => (await count()) === 0);
  await sweeper.close();
});

test('a sweeper that is woken begins a round at once, and another one after that which runs', async () => {
  const held = Promise.withResolvers<void>();
  let rounds = 0;
  const { sweeper } = createSweeper([
    async () => {
      rounds += 1;
      if (rounds === 1) await held.promise;
      return 0;
    },
    removeSome,
  ]);
  sweeper.wake();
  await waitFor('the first round', () => rounds === 1);
  sweeper.wake();
  held.resolve();
  await waitFor('the second round', () => rounds === 2);
  await sweeper.close();
});

test('while one worker takes a step, another leaves the rows to it', async () => {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const { sweeper: first } = createSweeper([
    async () => {
      reached.resolve();
      await released.promise;
      return 0;
    },
  ]);
  const { sweeper: second } = createSweeper([removeSome]);
  const sweeping = first.sweep();
  await reached.promise;
  await second.sweep();
  assert.equal(await count(), 10);
  released.resolve();
  await sweeping;
  await second.sweep();
  assert.equal(await count(), 0);
  await Promise.all([first.close(), second.close()]);
});

test('a failing step is logged without values, and the next ones run', async () => {
  const broken = statement<{ n: number }>('test.broken', 'select 1 / 0 as n');
  const { sweeper, text } = createSweeper([async (tx) => (await tx.query(broken, [])).length, removeSome]);
  await sweeper.sweep();
  await sweeper.close();
  assert.equal(await count(), 0);
  assert.match(text(), /expired or erased rows were not removed/u);
});

test('a closed sweeper stops after the current step', async () => {
  let steps = 0;
  const { sweeper } = createSweeper([
    async (tx) => {
      steps += 1;
      void sweeper.close();
      return await removeSome(tx);
    },
  ]);
  await sweeper.sweep();
  assert.deepEqual([steps, await count()], [1, 7]);
});
