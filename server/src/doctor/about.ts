import type { AskedServer } from '../db/asked-server.ts';
import type { ConnectionBudget } from '../db/connection-budget.ts';
import type { Endpoint } from '../db/endpoint.ts';
import type { InspectedRead, ServerFacts } from '../db/server-facts.ts';
import type { FeedTable } from '../feed/feed.ts';
import type { ExpectedObjects } from './expected-objects.ts';
import type { Finding, ServerPlace } from './finding.ts';
import type { DoctorLimits } from './limits.ts';
import type { KnownMachine } from './machine.ts';

export type Role = 'primary' | 'standby';

/** What the checks need of the configuration, and of all servers together. */
export interface About {
  /** `DB_READ_MAX_LAG_MS`: above it, reads go to the primary. */
  readonly maxLagMs: number;
  readonly workers: number;
  /** This machine's clock, like `Date.now`. */
  readonly nowMs: number;
  /** `DURABILITY`. */
  readonly durability: 'disk' | 'standby';
  /** Whether the servers are embedded, with roles and settings that the operator does not choose. */
  readonly isEmbedded: boolean;
  /**
   * The most connections that all workers open to one server, after the pools were reduced to fit. Undefined when unknown:
   * without a primary, or when the start would refuse the pools.
   */
  readonly plannedConnections: Readonly<Record<Role, number | undefined>>;
  /** `REALTIME`; the role that follows the log on a primary, and the tables. */
  readonly feed: {
    readonly realtime: 'auto' | 'on' | 'off';
    readonly userOf: (endpoint: Endpoint) => string;
    readonly tables: readonly FeedTable[];
  };
  /** The folder of this version's migrations. */
  readonly migrationsDir: string;
  /** The objects that the migrations create. */
  readonly expected: ExpectedObjects;
  /** How the pools of all workers fit the servers, as the start computes it. Without unavailable servers. */
  readonly planPools: (write: ServerFacts, reads: readonly InspectedRead[]) => ConnectionBudget[];
  /** What is known about a server's machine. */
  readonly machineOf: (endpoint: Endpoint) => KnownMachine;
  readonly limits: DoctorLimits;
}

/** What is known before any query. */
export type Configured = Omit<About, 'plannedConnections'>;

/** A server that answered. */
export interface Server extends AskedServer {
  readonly where: ServerPlace;
  /** Its role in the configuration. */
  readonly role: Role;
  readonly endpoint: Endpoint;
}

/** Checks one server. Rejects when a query fails, which becomes a failure in the report. */
export type ServerCheck = (server: Server, about: About) => Promise<Finding[]>;

/** Checks a standby against the primary that it should follow. */
export type PairCheck = (primary: Server, standby: Server, about: About) => Promise<Finding[]>;
