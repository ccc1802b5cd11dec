import type { ConnectionOptions } from 'node:tls';

/**
 * Where a PostgreSQL server listens, and our credentials. `host` is a host name or the absolute folder of a Unix
 * socket.
 */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  readonly tls?: ConnectionOptions;
  /** `synchronous_commit` of our sessions; undefined keeps the server's. */
  readonly synchronousCommit?: 'on' | 'off';
}

/** `write` is the primary; `reads` are its standbys, at least one, or the primary again. */
export interface Endpoints {
  readonly write: Endpoint;
  readonly reads: readonly Endpoint[];
  /** Other places of the primary after a failover. None for embedded databases. */
  readonly otherWrites?: readonly Endpoint[];
}

/** A primary and its standby. */
export interface EndpointPair {
  readonly write: Endpoint;
  readonly read: Endpoint;
}

/** The pair as lists: one candidate for the primary, one read server. */
export function listOf({ write, read }: EndpointPair): Endpoints {
  return { write, reads: [read] };
}

/** `host:port`, for messages. */
export function placeOf({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
