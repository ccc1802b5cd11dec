import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { recordLog } from '../../test/log-lines.ts';
import { usePools } from '../../test/pools.ts';
import { FailedSignIns } from './failed-sign-ins.ts';

const database = useDatabase();
const open = usePools(database);

test('an attack writes at most a hundred events a minute, with a log line', async () => {
  const clock = { time: 0, now: () => clock.time };
  const { log, lines } = recordLog();
  const failed = new FailedSignIns(open('write'), { clock, log });
  const userId = randomUUID();
  const count = async (): Promise<number> =>
    (await database().sql(`select 1 from audit where user_id = $1 and kind = 'sign_in_failed'`, [userId])).length;
  for (let n = 0; n < 103; n += 1) await failed.record(userId, '192.0.2.1');
  assert.equal(await count(), 100);
  clock.time = 60_000;
  await failed.record(userId, '192.0.2.1');
  assert.equal(await count(), 101);
  failed.close();
  assert.ok(lines().length > 0);
});
