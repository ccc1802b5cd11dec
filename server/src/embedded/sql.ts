import type { Client } from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { withClient, type SessionOptions } from '../db/session.ts';
import { roles } from './settings.ts';

/** Statements of maintenance are short, except the first checkpoint of a backup. */
export const maintenanceSession = {
  applicationName: 'messenger-embedded',
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 0,
  answerTimeoutMs: 60_000,
} as const satisfies SessionOptions;

/** The same server, for maintenance: as superuser, in a database that always exists. */
export function forMaintenance(endpoint: Endpoint, database = 'postgres'): Endpoint {
  return { ...endpoint, user: roles.superuser, database };
}

/** Runs `work` in a superuser's session. */
export async function withSession<T>(
  endpoint: Endpoint,
  work: (client: Client) => Promise<T>,
  database?: string,
): Promise<T> {
  return await withClient(forMaintenance(endpoint, database), maintenanceSession, async (client) => {
    // What creates or repairs the standby cannot wait for it (DURABILITY=standby).
    await client.query('set synchronous_commit = local');
    return await work(client);
  });
}
