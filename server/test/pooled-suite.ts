import { after } from 'node:test';

import { poolerVariable } from './database.ts';
import { startPgBouncers, type PoolerOptions } from './pgbouncer.ts';

/** What must hold behind PgBouncer: all promises of the API, and everything that only a pooler could break. */
export async function importPooledSuite(options: PoolerOptions): Promise<void> {
  const poolers = await startPgBouncers(options);
  after(async () => poolers.stop());
  process.env[poolerVariable] = JSON.stringify(poolers.places);
  process.env['DB_PREPARED_STATEMENTS'] = options.names ? 'on' : 'off';
  await import('../src/users/users.pg.test.ts');
  await import('../src/users/tokens.pg.test.ts');
  await import('./pooled-sessions.ts');
}
