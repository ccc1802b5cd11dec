import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { migrateUp } from '../src/db/migrations.ts';
import { EmbeddedPair } from '../src/embedded/pair.ts';
import { roles } from '../src/embedded/settings.ts';
import { withSession } from '../src/embedded/sql.ts';
import { letInEveryRole, makeTestFolder } from '../src/embedded/test-folder.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { createLog } from '../src/telemetry/log.ts';
import { migrationsDir } from '../src/prepare-databases.ts';
import { templateDatabase } from './database.ts';

/**
 * The databases of a test run, in a separate process because PostgreSQL does not run as root: prints the endpoints of a
 * primary with a migrated database and of its standby, and ends them at the end of its input.
 */
const log = createLog({ level: 'error', name: 'test databases', pretty: true });

/** Nothing here outlives the run, so nothing is flushed to disk, unless `durable` is the first argument. */
const careless = process.argv[2] === 'durable' ? {} : { fsync: 'off', shared_buffers: '64MB' };

/** With counted statements; otherwise as in production. */
const folder = await makeTestFolder();
const forTests = {
  ...careless,
  shared_preload_libraries: 'pg_stat_statements',
  ...(await letInEveryRole(folder)),
};
const dataDir = join(folder, 'data');
const pair = new EmbeddedPair({
  dataDir,
  synchronousCommit: 'on',
  tuning: 'on',
  overrides: { primary: forTests, standby: forTests },
  log,
  clock: monotonicClock,
});
try {
  await pair.start(AbortSignal.timeout(60_000));
  const { write, read } = pair.endpoints;
  if (write.database !== templateDatabase) throw new Error(`tests copy ${templateDatabase}, not ${write.database}`);
  await migrateUp({ endpoint: write, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  // The application may use what tests create as superuser.
  const share = (kind: string): string => `alter default privileges grant all on ${kind} to ${roles.application}`;
  await withSession(
    write,
    async (client) => client.query(`${share('tables')}; ${share('sequences')}`),
    templateDatabase,
  );
  process.stdout.write(`${JSON.stringify({ write, read, dataDir })}\n`);
  await text(process.stdin);
} finally {
  await pair.stop(AbortSignal.timeout(20_000));
  await rm(folder, { recursive: true, force: true });
}
