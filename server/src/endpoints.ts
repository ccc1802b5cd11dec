import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import type { Config } from './config.ts';
import type { Endpoint, Endpoints } from './db/endpoint.ts';
import { OperatorError } from './lib/operator-error.ts';

/** The options of one server. */
interface DatabaseConfig extends Omit<Config['writeDb'], 'host'>, Pick<Config['embedded'], 'synchronousCommit'> {
  readonly host: string;
}

/** The operator's own servers, or undefined when the databases are embedded. Throws `OperatorError`. */
export function externalEndpoints({ writeDb, readDb, embedded: { synchronousCommit } }: Config): Endpoints | undefined {
  if (writeDb.host === undefined) return undefined;
  const write = toEndpoint({ ...writeDb, host: writeDb.host, synchronousCommit });
  const { host: hosts, port: ports } = readDb;
  const portOf = (index: number): number => ports[index] ?? ports[0] ?? write.port;
  return {
    write,
    reads: hosts?.map((host, index) => toEndpoint({ ...readDb, host, port: portOf(index), synchronousCommit })) ?? [
      write,
    ],
  };
}

function toEndpoint(db: DatabaseConfig): Endpoint {
  const { host, port, user, password, database, synchronousCommit } = db;
  return { host, port, user, password, database, synchronousCommit, ...tlsOf(db) };
}

function tlsOf({ tls, tlsCa, host }: DatabaseConfig): Pick<Endpoint, 'tls'> {
  switch (tls) {
    case 'disable':
      return {};
    case 'require':
      return { tls: { rejectUnauthorized: false } };
    case 'verify-full': {
      const authority = tlsCa === undefined ? {} : { ca: readAuthority(tlsCa) };
      return { tls: { rejectUnauthorized: true, ...identity(host), ...authority } };
    }
  }
}

/** Whose certificate it must be. A server name (SNI) cannot be an address. */
function identity(host: string): Pick<ConnectionOptions, 'host' | 'servername'> {
  return isIP(host) === 0 ? { servername: host } : { host };
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown error';
    throw new OperatorError(`The certificates for the databases cannot be read: ${reason}`, { cause });
  }
}

/**
 * A connection string as psql takes it, with the password when there is one. Of several servers, which differ in host and
 * port alone, psql takes the first that answers.
 */
export function connectionUrl(endpoint: Endpoint, ...others: readonly Endpoint[]): string {
  const { user, password, database, tls } = endpoint;
  const all = [endpoint, ...others];
  const host = all.map((one) => one.host).join(',');
  const port = all.map((one) => one.port).join(',');
  const isParameter = host.startsWith('/') || others.length > 0;
  const who = encodeURIComponent(user) + (password === undefined ? '' : `:${encodeURIComponent(password)}`);
  const mode = tls === undefined ? undefined : tls.rejectUnauthorized === true ? 'verify-full' : 'require';
  const parameters = new URLSearchParams({
    ...(isParameter ? { host, port } : {}),
    ...(mode === undefined ? {} : { sslmode: mode }),
  }).toString();
  const place = isParameter ? '' : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return `postgresql://${who}@${place}/${encodeURIComponent(database)}${parameters === '' ? '' : `?${parameters}`}`;
}
