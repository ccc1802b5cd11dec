import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import type { BenchServer } from './bench-server.ts';

const session = { applicationName: 'bench', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };

/** Process ids of the feed, of the log sender that it reads from, and of the connection that tells it what is visible. */
export async function feedProcesses({
  endpoints,
  feedPid,
}: BenchServer): Promise<Readonly<Record<'feed' | 'sender' | 'snapshots', number[]>>> {
  return await withClient({ ...endpoints.write, user: roles.superuser }, session, async (client) => {
    const pidsOf = async (from: string): Promise<number[]> => {
      const { rows } = await client.query<{ pid: number }>(
        `select pid from ${from} and application_name = 'messenger feed'`,
      );
      return rows.map(({ pid }) => pid);
    };
    return {
      feed: [feedPid],
      sender: await pidsOf('pg_stat_replication where true'),
      snapshots: await pidsOf("pg_stat_activity where backend_type = 'client backend'"),
    };
  });
}
