import type { Endpoint, EndpointPair } from '../src/db/endpoint.ts';
import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { waitFor } from '../test/wait-for.ts';
import { settledUsers } from './calls.ts';

const session = { applicationName: 'bench', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };
const catchUpMs = 60_000;

/** Runs statements as superuser; resolves with the first column of the first row of the last one. */
export async function runStatements(endpoint: Endpoint, ...statements: readonly string[]): Promise<unknown> {
  return withClient({ ...endpoint, user: roles.superuser }, session, async (client) => {
    let first: unknown;
    for (const text of statements) {
      const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
      first = rows[0]?.[0];
    }
    return first;
  });
}

/** Runs statements on the primary as superuser, then waits until the standby has replayed them. */
export async function prepare({ write, read }: EndpointPair, ...statements: readonly string[]): Promise<void> {
  const position = await runStatements(write, ...statements, 'select pg_current_wal_flush_lsn()::text');
  const hasIt = `select pg_last_wal_replay_lsn() >= '${String(position)}'::pg_lsn`;
  await waitFor('the standby to catch up', async () => (await runStatements(read, hasIt)) === true, catchUpMs);
}

/** Users `name 1` to `name count`, with ids made from these names, created one second apart. */
export function insertUsers(name: string, count: number): string {
  return `insert into users (id, first_name, last_name, created_at)
    select md5('${name} ' || n)::uuid, '${name}', n::text, now() - (${count} - n) * interval '1 second'
      from generate_series(1, ${count}) n`;
}

/** Fills a new database; `calls.ts` has the ids. */
export const settle = [insertUsers('settled', settledUsers), 'vacuum analyze users', 'checkpoint'];

/** Deletes all but the settled users, whatever their names are now. */
export const deletePassing = `delete from users
  where id not in (select md5('settled ' || n)::uuid from generate_series(1, ${settledUsers}) n)`;
