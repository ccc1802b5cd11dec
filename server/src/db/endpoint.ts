import type { ConnectionOptions } from 'node:tls';

/** Where a PostgreSQL server listens and who we are there. `host` is a host name or the absolute folder of a Unix socket. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  readonly tls?: ConnectionOptions;
}

/** The two servers: `write` is the primary; `read` is a standby of it, or the primary again. */
export interface Endpoints {
  readonly write: Endpoint;
  readonly read: Endpoint;
}
