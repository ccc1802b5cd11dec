import { Socket } from 'node:net';

import pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { roles } from './settings.ts';

/** No statement here takes long, but for a backup's first checkpoint. In ms. */
const connectMs = 5_000;
const statementMs = 60_000;
/** How long the server may take to say goodbye, in ms. */
const goodbyeMs = 1_000;

/** A connection for our own housekeeping. An error of an idle one shows at its next statement. */
export interface Session {
  readonly client: pg.Client;
  /** Resolves within a second, even when the server hangs; never rejects. */
  close(): Promise<void>;
}

/** The database for maintenance, which always exists. */
const maintenance = 'postgres';

/** Opens a session of the superuser. */
export async function openSession(endpoint: Endpoint, queryMs = statementMs, database = maintenance): Promise<Session> {
  const socket = new Socket();
  const client = new pg.Client({
    host: endpoint.host,
    port: endpoint.port,
    user: roles.superuser,
    database,
    application_name: 'messenger-embedded',
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
    // What makes or mends the standby cannot wait for it (DURABILITY=standby).
    options: '-c synchronous_commit=local',
    stream: () => socket,
  });
  client.on('error', () => {});
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => socket.destroy(), goodbyeMs);
    await client.end().catch(() => {});
    clearTimeout(timer);
  };
  await client.connect();
  return { client, close };
}

/** Runs `work` in a superuser's session of its own. */
export async function withSession<T>(
  endpoint: Endpoint,
  work: (client: pg.Client) => Promise<T>,
  database = maintenance,
): Promise<T> {
  const session = await openSession(endpoint, statementMs, database);
  try {
    return await work(session.client);
  } finally {
    await session.close();
  }
}
