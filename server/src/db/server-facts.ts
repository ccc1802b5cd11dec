import type { Client } from 'pg';

import { withClient, type SessionOptions } from './session.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Endpoint, Endpoints } from './endpoint.ts';

/** What a PostgreSQL server says of itself. */
export interface ServerFacts {
  /** As in `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly database: string;
  readonly maxConnections: number;
  /** Connections that only superusers and reserved roles get; never ours. */
  readonly reservedConnections: number;
  readonly inRecovery: boolean;
  readonly readOnly: boolean;
  /** Made by initdb: a standby has that of its primary, and so has a copy that was promoted. */
  readonly systemIdentifier: string;
  /** With the system identifier, tells a running server from every other one. */
  readonly startedAt: string;
}

/** `uuidv7()` came with 18. */
const oldestVersion = 180_000;

const factsSql = `
  select current_setting('server_version_num')::int as version,
         current_database() as database,
         current_setting('max_connections')::int as "maxConnections",
         current_setting('superuser_reserved_connections')::int
           + current_setting('reserved_connections')::int as "reservedConnections",
         pg_is_in_recovery() as "inRecovery",
         current_setting('transaction_read_only') = 'on' as "readOnly",
         (select system_identifier::text from pg_control_system()) as "systemIdentifier",
         pg_postmaster_start_time()::text as "startedAt"`;

/** Asked of servers before 18, which may lack some of the settings above. */
const versionSql = `select current_setting('server_version_num')::int as version`;

/** What the server of a session says of itself; of one that is too old, only its version. */
export async function readFacts(client: Client): Promise<ServerFacts | { readonly version: number }> {
  const { rows: versions } = await client.query<{ version: number }>(versionSql);
  const version = versions[0]?.version ?? 0;
  if (version < oldestVersion) return { version };
  const { rows } = await client.query<ServerFacts>(factsSql);
  const [facts] = rows;
  if (facts === undefined) throw new Error('the server said nothing of itself');
  return facts;
}

function name({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}

/** A sentence about a server that is older than what Messenger needs. */
export function tooOld(role: string, endpoint: Endpoint, version: number): string {
  const major = Math.floor(version / 10_000);
  return `The ${role} server ${name(endpoint)} is PostgreSQL ${major}; Messenger needs 18 or newer (for uuidv7()).`;
}

/** Whether two endpoints lead to one running server. */
export function areOneServer(one: ServerFacts, other: ServerFacts): boolean {
  return one.startedAt === other.startedAt && one.systemIdentifier === other.systemIdentifier;
}

/** A sentence for each reason why these two servers cannot be used together. */
export function findServerProblems(endpoints: Endpoints, write: ServerFacts, read: ServerFacts): string[] {
  const problems: string[] = [];
  const writeName = name(endpoints.write);
  const readName = name(endpoints.read);
  if (write.inRecovery) {
    problems.push(
      `The write server ${writeName} is a standby, which takes no writes; DB_WRITE_HOST must name the primary.`,
    );
  } else if (write.readOnly) {
    problems.push(`The write server ${writeName} is read-only (default_transaction_read_only).`);
  }
  if (write.systemIdentifier !== read.systemIdentifier) {
    problems.push(
      `The read server ${readName} is not a standby of the write server ${writeName}: it is another database cluster.`,
    );
  } else if (!areOneServer(write, read) && !read.inRecovery && !write.inRecovery) {
    problems.push(
      `The read server ${readName} is a copy of the write server ${writeName} that follows it no more: it has been promoted.`,
    );
  }
  if (write.database !== read.database) {
    problems.push(
      `The read server ${readName} is asked for database "${read.database}", the write server for "${write.database}".`,
    );
  }
  return problems;
}

/** Facts of both servers. Rejects with `OperatorError` when they cannot be used together, and as `pg` does when not reached. */
export async function inspectServers(
  endpoints: Endpoints,
  session: SessionOptions,
): Promise<{ write: ServerFacts; read: ServerFacts }> {
  const [write, read] = await Promise.all(
    [endpoints.write, endpoints.read].map(async (endpoint) => withClient(endpoint, session, readFacts)),
  );
  if (write === undefined || read === undefined) throw new Error('unreachable');
  const old = [
    ...('database' in write ? [] : [tooOld('write', endpoints.write, write.version)]),
    ...('database' in read ? [] : [tooOld('read', endpoints.read, read.version)]),
  ];
  if (!('database' in write) || !('database' in read)) throw new OperatorError(old.join('\n'));
  const problems = findServerProblems(endpoints, write, read);
  if (problems.length > 0) throw new OperatorError(problems.join('\n'));
  return { write, read };
}
