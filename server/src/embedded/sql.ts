import { Socket } from 'node:net';

import pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';

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

/** Opens a session in the database `postgres`, which always exists. */
export async function openSession(endpoint: Endpoint, queryMs = statementMs): Promise<Session> {
  const socket = new Socket();
  const client = new pg.Client({
    host: endpoint.host,
    port: endpoint.port,
    user: endpoint.user,
    database: 'postgres',
    application_name: 'messenger-embedded',
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
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

/** Runs `work` in a session of its own. */
export async function withSession<T>(endpoint: Endpoint, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const session = await openSession(endpoint);
  try {
    return await work(session.client);
  } finally {
    await session.close();
  }
}

const findDatabase = 'select 1 from pg_database where datname = $1';

/** Creates the endpoint's database unless it exists. */
export async function ensureDatabase(client: pg.Client, endpoint: Endpoint): Promise<void> {
  const { rowCount } = await client.query(findDatabase, [endpoint.database]);
  if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(endpoint.database)}`);
}
