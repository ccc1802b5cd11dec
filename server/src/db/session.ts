import { Socket } from 'node:net';

import { Client, types, type ClientConfig } from 'pg';

import type { Endpoint } from './endpoint.ts';

export interface SessionOptions {
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** `statement_timeout` of the session; 0 is none. */
  readonly statementTimeoutMs: number;
  /** After this long without an answer, a statement rejects here, because a frozen server enforces no deadline. Default: none. */
  readonly answerTimeoutMs?: number;
  /** Also takes commands of the replication protocol. Default: no. */
  readonly replication?: 'database';
}

/** After this long, the server ends an idle transaction, so that a defect cannot hold locks for ever. */
const idleInTransactionTimeoutMs = 30_000;
const keepAliveDelayMs = 10_000;

/** In `pg_type`, in every PostgreSQL. */
const timestamptz = 1184;

/** The end of every timestamp of our sessions. */
const utc = '+00';

/**
 * `timestamptz` as RFC 3339 with microseconds. A JavaScript Date has milliseconds, and a truncated cursor would skip rows. PostgreSQL omits
 * trailing zeros; with them, text sorts like time. Sessions use UTC with ISO dates: `2026-01-28 12:00:00.12+00`.
 */
export function parseTimestamp(text: string): string {
  // Nine in ten have all six digits: `2026-01-28 12:00:00.123456+00`.
  if (text.length === 29 && text[10] === ' ') return `${text.slice(0, 10)}T${text.slice(11, 26)}Z`;
  const [date = '', time = ''] = text.slice(0, -utc.length).split(' ');
  const [seconds = '', fraction = ''] = time.split('.');
  return `${date}T${seconds}.${fraction.padEnd(6, '0')}Z`;
}

const customTypes: NonNullable<ClientConfig['types']> = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
    if (oid === timestamptz) return parseTimestamp;
    // oxlint-disable-next-line typescript/no-unsafe-return, typescript/no-unsafe-enum-assignment -- pg's own types say so.
    return types.getTypeParser(oid, format);
  },
};

/**
 * Settings of every session, as `current_setting` shows them: settings of a role, a database, the server or a pooler must not change
 * answers, cause failures, or weaken promises. Settings left to the operator: docs/decisions/0027-session-settings.md.
 */
export function sessionSettings({
  synchronousCommit,
}: Pick<Endpoint, 'synchronousCommit'>): Readonly<Record<string, string>> {
  return {
    search_path: 'public',
    TimeZone: 'UTC',
    DateStyle: 'ISO, MDY',
    extra_float_digits: '1',
    // A warning reports a commit that no standby has confirmed.
    client_min_messages: 'warning',
    default_transaction_isolation: 'read committed',
    lock_timeout: '0',
    transaction_timeout: '0',
    idle_session_timeout: '0',
    // Plans a prepared statement once. By default PostgreSQL plans pages and batches at each execution, because it estimates custom plans
    // as cheaper. Figures: docs/decisions/0041-batches-by-need.md.
    plan_cache_mode: 'force_generic_plan',
    ...(synchronousCommit === undefined ? {} : { synchronous_commit: synchronousCommit }),
  };
}

/** `-c name=value …` with escaped spaces and backslashes (manual, "Message Formats", `StartupMessage`). */
function startupOptions(settings: Readonly<Record<string, string>>): string {
  const options = Object.entries(settings).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/gu, String.raw`\$&`)}`,
  );
  return options.join(' ');
}

/** Connection options of a session: the guide's `connect_timeout`, keep-alive, settings, deadlines that the server enforces. */
export function clientConfig(endpoint: Endpoint, session: SessionOptions): ClientConfig {
  return {
    host: endpoint.host,
    port: endpoint.port,
    user: endpoint.user,
    password: endpoint.password,
    database: endpoint.database,
    ssl: endpoint.tls ?? false,
    application_name: session.applicationName,
    connectionTimeoutMillis: session.connectTimeoutMs,
    ...(session.answerTimeoutMs === undefined ? {} : { query_timeout: session.answerTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    options: startupOptions({
      ...sessionSettings(endpoint),
      statement_timeout: String(session.statementTimeoutMs),
      idle_in_transaction_session_timeout: String(idleInTransactionTimeoutMs),
    }),
    types: customTypes,
  };
}

/** How long a server may take to close a session; a frozen one never does. */
const goodByeTimeoutMs = 1_000;

/** One open session. */
export interface Session {
  readonly client: Client;
  /** Resolves when it is closed, soon even when the server does not react. */
  readonly close: () => Promise<void>;
}

/** Opens one session, or rejects as `pg` does. */
export async function openSession(endpoint: Endpoint, session: SessionOptions): Promise<Session> {
  const socket = new Socket();
  // The types of `pg` lack `replication`.
  const mode = session.replication === undefined ? {} : { replication: session.replication };
  const client = new Client({ ...clientConfig(endpoint, session), ...mode, stream: () => socket });
  client.on('error', () => undefined); // A lost connection is reported by the query that needed it.
  const close = async (): Promise<void> => {
    const cut = setTimeout(() => socket.destroy(), goodByeTimeoutMs);
    await client.end().catch(() => undefined);
    clearTimeout(cut);
  };
  try {
    await client.connect();
    return { client, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens one session, hands it to `use`, and closes it whatever happens. For start-up, migrations and tools. */
export async function withClient<T>(
  endpoint: Endpoint,
  session: SessionOptions,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const { client, close } = await openSession(endpoint, session);
  try {
    return await use(client);
  } finally {
    await close();
  }
}
