import type { AskedServer } from '../db/asked-server.ts';
import type { ConnectionBudget } from '../db/connection-budget.ts';
import type { Endpoint } from '../db/endpoint.ts';
import type { InspectedRead, ServerFacts } from '../db/server-facts.ts';
import type { ExpectedObjects } from './expected-objects.ts';
import type { Finding, ServerPlace } from './finding.ts';
import type { DoctorLimits } from './limits.ts';
import type { KnownMachine } from './machine.ts';

export type Role = 'primary' | 'standby';

/** What the checks have to know of the configuration, and of all servers together. */
export interface About {
  /** Beyond it, reads go to the primary (`DB_READ_MAX_LAG_MS`). */
  readonly maxLagMs: number;
  readonly workers: number;
  /** Of this machine, as `Date.now`. */
  readonly nowMs: number;
  /** What an acknowledged write must be on (`DURABILITY`). */
  readonly durability: 'disk' | 'standby';
  /** Our own servers, whose roles and settings the operator does not choose. */
  readonly isEmbedded: boolean;
  /**
   * Most connections that all workers of this instance open to one server, after what does not fit has shrunk; undefined while that
   * is not known: without the primary, and when the start would refuse the pools.
   */
  readonly plannedConnections: Readonly<Record<Role, number | undefined>>;
  /** Folder of the migrations that this version has. */
  readonly migrationsDir: string;
  /** What they make. */
  readonly expected: ExpectedObjects;
  /** How the pools of all workers fit into the servers, as the start counts it. Servers that are away are not counted. */
  readonly planPools: (write: ServerFacts, reads: readonly InspectedRead[]) => ConnectionBudget[];
  /** What is known of the machine of a server. */
  readonly machineOf: (endpoint: Endpoint) => KnownMachine;
  readonly limits: DoctorLimits;
}

/** What is known before the servers are asked. */
export type Configured = Omit<About, 'plannedConnections'>;

/** A server that answered. */
export interface Server extends AskedServer {
  readonly where: ServerPlace;
  /** What the configuration says that it is. */
  readonly role: Role;
  readonly endpoint: Endpoint;
}

/** Looks at one server. Rejects when it cannot be asked, which becomes a failure of the report. */
export type ServerCheck = (server: Server, about: About) => Promise<Finding[]>;

/** Looks at a standby and the primary that it should follow. */
export type PairCheck = (primary: Server, standby: Server, about: About) => Promise<Finding[]>;
