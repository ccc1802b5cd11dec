import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import type { Config } from './config.ts';
import type { Endpoint, Endpoints } from './db/endpoint.ts';
import { OperatorError } from './lib/operator-error.ts';

type DatabaseConfig = Config['writeDb'];

/** The operator's own servers, or undefined when the databases are embedded. Throws `OperatorError`. */
export function externalEndpoints({ writeDb, readDb }: Config): Endpoints | undefined {
  const write = toEndpoint(writeDb);
  return write && { write, read: toEndpoint(readDb) ?? write };
}

function toEndpoint(db: DatabaseConfig): Endpoint | undefined {
  if (db.host === undefined) return undefined;
  const { host, port, user, password, database } = db;
  return { host, port, user, password, database, ...tlsOf(db) };
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
function identity(host: string | undefined): Pick<ConnectionOptions, 'host' | 'servername'> {
  if (host === undefined) return {};
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

/** A connection string as psql takes it, with the password when there is one. */
export function connectionUrl({ host, port, user, password, database, tls }: Endpoint): string {
  const isSocket = host.startsWith('/');
  const who = encodeURIComponent(user) + (password === undefined ? '' : `:${encodeURIComponent(password)}`);
  const mode = tls === undefined ? undefined : tls.rejectUnauthorized === true ? 'verify-full' : 'require';
  const parameters = new URLSearchParams({
    ...(isSocket ? { host, port: String(port) } : {}),
    ...(mode === undefined ? {} : { sslmode: mode }),
  }).toString();
  const place = isSocket ? '' : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return `postgresql://${who}@${place}/${encodeURIComponent(database)}${parameters === '' ? '' : `?${parameters}`}`;
}
