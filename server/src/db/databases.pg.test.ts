import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { sleep } from '../../test/pools.ts';
import { createLog } from '../telemetry/log.ts';

const database = useDatabase();

test('a standby with all connections busy does not count as unavailable', async () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: 'info', name: 'test', pretty: false }, sink);
  const app = await createTestApp(database().endpoints, { log, maxOpen: 2, env: { SLOW_STATEMENT_MS: '10000' } });
  try {
    const [pool] = app.databases.readPools;
    await pool?.query(sleep, [1.5]);
    assert.deepEqual(lines, []);
    assert.equal(app.databases.standbys.all[0]?.state, 'fit');
  } finally {
    await app.http.close();
    await app.close();
  }
});
