import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import type { Config } from './config.ts';
import { placeOf, type Endpoint, type Endpoints } from './db/endpoint.ts';
import { OperatorError } from './lib/operator-error.ts';

type Section = 'writeDb' | 'readDb';

/** The options of one server. */
interface DatabaseConfig extends Omit<Config[Section], 'host' | 'port'>, Pick<Config['embedded'], 'synchronousCommit'> {
  readonly host: string;
  readonly port: number;
}

/**
 * The operator's own servers, or undefined for embedded databases. `write` is the first of the write hosts; queries to
 * the servers determine the primary. Throws `OperatorError`.
 */
export function externalEndpoints(config: Config): Endpoints | undefined {
  const writes = endpointsOf('writeDb', config);
  const [write, ...others] = writes;
  if (write === undefined) return undefined;
  const reads = endpointsOf('readDb', config);
  const { synchronousCommit } = config.embedded;
  // After a promotion, the write user writes to a read server.
  const promoted = reads.map(({ host, port }) => toEndpoint({ ...config.writeDb, synchronousCommit, host, port }));
  const isNamed = (one: Endpoint): boolean => writes.some((named) => placeOf(named) === placeOf(one));
  const otherWrites = [...others, ...promoted.filter((one) => !isNamed(one))];
  return { write, otherWrites, reads: reads.length === 0 ? writes : reads };
}

function endpointsOf(name: Section, config: Config): Endpoint[] {
  const { host: hosts = [], port: ports, ...section } = config[name];
  const options = { ...section, synchronousCommit: config.embedded.synchronousCommit };
  return hosts.map((host, index) => toEndpoint({ ...options, host, port: ports[index] ?? ports[0] ?? 0 }));
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

/** The name that the certificate must have. A server name (SNI) cannot be an address. */
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
 * A connection string for psql, with the password if there is one. Of several servers, which differ only in host and
 * port, psql uses the first that answers.
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
