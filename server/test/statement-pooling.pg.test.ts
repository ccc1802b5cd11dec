/** PgBouncer in statement mode, which allows no transactions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readReport, worstLine, environmentOf } from '../src/commands/test-doctor.ts';
import { listOf } from '../src/db/endpoint.ts';
import { waitForServers } from '../src/db/wait-for-servers.ts';
import { OperatorError } from '../src/lib/operator-error.ts';
import { createLog } from '../src/telemetry/log.ts';
import { useDatabase } from './database.ts';
import { missingPgBouncer, startPgBouncers } from './pgbouncer.ts';

const missing = missingPgBouncer();
const database = useDatabase();

test('the start refuses a pooler in statement mode, and doctor reports it', { skip: missing ?? false }, async (t) => {
  const poolers = await startPgBouncers({ names: true, mode: 'statement' });
  t.after(async () => poolers.stop());
  const { direct } = database();
  const endpoints = { write: { ...direct.write, ...poolers.places.write }, read: direct.read };
  const options = {
    connectTimeoutMs: 2_000,
    random: () => 0,
    log: createLog({ level: 'silent', name: 'test', pretty: false }),
    signal: AbortSignal.timeout(10_000),
  };
  await assert.rejects(waitForServers(listOf(endpoints), options), (error) => {
    assert.ok(error instanceof OperatorError);
    assert.match(error.message, /The write server .* in statement mode.*Set pool_mode = transaction/u);
    return true;
  });
  const environment = { ...environmentOf(endpoints), DB_WRITE_PASSWORD: poolers.places.write.password };
  const line = worstLine(await readReport(environment), 'compatible', 'primary');
  assert.equal(line.status, 'fail');
  assert.match(line.found, /pool_mode = transaction/u);
});
