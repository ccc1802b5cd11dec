import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import type { TestDatabase } from './database.ts';
import { waitFor } from './wait-for.ts';

const session = { applicationName: 'test holder', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

const waiting = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

/**
 * Holds a lock while the calls begin, one after the other: each waits for a lock, or has ended, before the next begins. Then all of them go
 * on at the same moment. Resolves with their results.
 */
export async function raceBehind<Result>(
  database: TestDatabase,
  lock: string,
  calls: readonly (() => Promise<Result>)[],
): Promise<Result[]> {
  return await withClient({ ...database.direct.write, user: roles.superuser }, session, async (holder) => {
    await holder.query('begin');
    await holder.query(lock);
    const ended: unknown[] = [];
    const results: Promise<Result>[] = [];
    for (const call of calls) {
      results.push(call().finally(() => ended.push(call)));
      await waitFor('the call to wait for a lock', async () => {
        return (await database.sql(waiting)).length + ended.length === results.length;
      });
    }
    await holder.query('commit');
    return await Promise.all(results);
  });
}
