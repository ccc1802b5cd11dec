import { afterEach } from 'node:test';

import type { DatabaseFixture, TestDatabase } from './database.ts';
import { AppError } from '../src/lib/app-error.ts';
import { createLog } from '../src/telemetry/log.ts';
import { Pool, type PoolOptions, type PoolServices, type Role } from '../src/db/pool.ts';
import { statement } from '../src/db/statement.ts';

export const one = statement<{ n: number }>('test.one', 'select 1 as n');
export const sleep = statement<{ slept: string }, [seconds: number]>(
  'test.sleep',
  'select pg_sleep($1)::text as slept',
);
export const pid = statement<{ pid: number }>('test.pid', 'select pg_backend_pid() as pid');
export const insert = statement<never, [name: string]>(
  'test.insert',
  "insert into users (first_name, last_name) values ($1, 'x')",
);

export type OpenPool = <R extends Role>(
  role: R,
  options?: Partial<PoolOptions>,
  services?: Partial<PoolServices>,
) => Pool<R>;

/** Opens pools to the file's database; each is closed after its test. */
export function usePools(database: () => Pick<TestDatabase, 'endpoints'>): OpenPool {
  const log = createLog({ level: 'silent', name: 'test', pretty: false });
  const pools: Pool[] = [];
  afterEach(async () => {
    await Promise.all(pools.splice(0).map(async (pool) => pool.close()));
  });
  return (role, options = {}, services = {}) => {
    const pool = new Pool(
      {
        endpoint: database().endpoints[role],
        applicationName: `pool test ${role}`,
        maxOpen: 4,
        maxIdle: 4,
        maxWaiting: 100,
        lifetimeMs: 600_000,
        idleTimeMs: 300_000,
        connectTimeoutMs: 5_000,
        statementTimeoutMs: 10_000,
        prepare: true,
        wrap: false,
        ...options,
        role,
      },
      { clock: performance, random: () => 0, log, ...services },
    );
    pools.push(pool);
    return pool;
  };
}

export function refusedWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof AppError && error.code === code;
}

/** How many statements of pools that begin like this run now on the role's server. */
export async function countRunning(database: DatabaseFixture, text: string, role: Role): Promise<number> {
  const sql = `select 1 from pg_stat_activity
    where datname = current_database() and query like $1 and state = 'active' and application_name <> 'test'`;
  const values = [`${text}%`];
  const rows = role === 'write' ? database().sql(sql, values) : database().sqlOnStandby(sql, values);
  return (await rows).length;
}
