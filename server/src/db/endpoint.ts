import type { ConnectionOptions } from 'node:tls';

/** Where a PostgreSQL server listens and who we are there. `host` is a host name or the absolute folder of a Unix socket. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  readonly tls?: ConnectionOptions;
  /** `synchronous_commit` of our sessions; undefined leaves it to the server. */
  readonly synchronousCommit?: 'on' | 'off';
}

/** `write` is the primary; `reads` are standbys of it, at least one, or the primary again. */
export interface Endpoints {
  readonly write: Endpoint;
  readonly reads: readonly Endpoint[];
  /** Where else the primary may be after a failover. None when the databases are embedded. */
  readonly otherWrites?: readonly Endpoint[];
}

/** A primary and one standby of it. */
export interface EndpointPair {
  readonly write: Endpoint;
  readonly read: Endpoint;
}

export function listOf({ write, read }: EndpointPair): Endpoints {
  return { write, reads: [read] };
}

/** `host:port`, for people. */
export function placeOf({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
