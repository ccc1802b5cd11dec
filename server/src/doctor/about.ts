import type { AskedServer } from '../db/asked-server.ts';
import type { Finding } from './finding.ts';

/** What the checks have to know of the configuration. */
export interface About {
  /** Beyond it, reads go to the primary (`DB_READ_MAX_LAG_MS`). */
  readonly maxLagMs: number;
  /** Most connections that all workers of this instance open to one server. */
  readonly plannedConnections: Readonly<Record<AskedServer['role'], number>>;
  /** Most connections of one worker: its clients', and its own to both servers. */
  readonly connectionsOfWorker: number;
  /** Indexes that the migrations make. */
  readonly indexes: readonly string[];
  /** An index without a scan in this time is called unused. */
  readonly unusedAfterHours: number;
}

/** Looks at one server. Rejects when it cannot be asked, which becomes a failure of the report. */
export type ServerCheck = (server: AskedServer, about: About) => Promise<Finding[]>;

/** Looks at a primary and its standby together. */
export type PairCheck = (primary: AskedServer, standby: AskedServer, about: About) => Promise<Finding[]>;
