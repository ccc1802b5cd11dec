import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';

import type { QueryResultRow } from 'pg';

import { PrimaryLog } from './primary-log.ts';
import { StandbyWatch } from './standby-watch.ts';

test('a primary that does not answer is asked nothing more until the question has come to its end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const questions: PromiseWithResolvers<QueryResultRow[]>[] = [];
  const primary = {
    async query<Row extends QueryResultRow>(): Promise<Row[]> {
      const question = Promise.withResolvers<Row[]>();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It is only ever answered with nothing.
      questions.push(question as unknown as PromiseWithResolvers<QueryResultRow[]>);
      return await question.promise;
    },
  };
  const watch = new StandbyWatch(primary, new PrimaryLog(performance, 1_000), []);
  t.after(() => watch.stop());
  const started = watch.start();
  t.mock.timers.tick(250);
  await started;
  for (let look = 0; look < 10; look += 1) t.mock.timers.tick(250);
  assert.equal(questions.length, 1);
  questions[0]?.reject(new Error('frozen'));
  await nextTurn();
  t.mock.timers.tick(250);
  assert.equal(questions.length, 2);
  questions[1]?.resolve([]);
  await nextTurn();
  t.mock.timers.tick(250);
  assert.equal(questions.length, 3);
});
