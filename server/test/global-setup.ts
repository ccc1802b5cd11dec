import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { migrateUp } from '../src/db/migrations.ts';
import { EmbeddedPair } from '../src/embedded/pair.ts';
import { testBinaries } from '../src/embedded/test-binaries.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { createLog } from '../src/telemetry/log.ts';
import { migrationsDir } from '../src/supervise.ts';
import { serversVariable, templateDatabase } from './database.ts';

const log = createLog({ level: 'error', name: 'test databases', pretty: true });

/** Nothing here outlives the run, so nothing waits for the disk; statements are counted; the rest is as in production. */
const forTests = { fsync: 'off', shared_buffers: '64MB', shared_preload_libraries: 'pg_stat_statements' };

let dataDir: string | undefined;
let pair: EmbeddedPair | undefined;

/** One primary and one standby for all `*.pg.test.ts` of a run, with a migrated database that each file copies. */
export async function globalSetup(): Promise<void> {
  dataDir = await mkdtemp(join(tmpdir(), 'messenger-test-'));
  await chmod(dataDir, 0o755); // As root, the databases run as somebody else, who must get through.
  pair = new EmbeddedPair({
    dataDir: join(dataDir, 'data'),
    binariesDir: await testBinaries(),
    synchronousCommit: 'on',
    tuning: 'on',
    overrides: { primary: forTests, standby: forTests },
    log,
    clock: monotonicClock,
    onFatal: (reason) => log.fatal(reason),
  });
  await pair.start(AbortSignal.timeout(60_000));
  const { write, read } = pair.endpoints;
  process.env[serversVariable] = JSON.stringify({ write, read });
  await migrateUp({ endpoint: write, dir: migrationsDir, connectTimeoutMs: 5_000, log });
  if (write.database !== templateDatabase) throw new Error(`tests copy ${templateDatabase}, not ${write.database}`);
}

export async function globalTeardown(): Promise<void> {
  await pair?.stop(AbortSignal.timeout(20_000));
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
}
