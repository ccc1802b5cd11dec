import type { Role } from './pool.ts';

/** What one worker would like to open to one server. */
export interface PoolWish {
  readonly role: Role;
  readonly maxOpen: number;
  /** Who asked for this number, e.g. `DB_WRITE_MAX_OPEN_CONNS`; undefined when it is only the default. */
  readonly askedBy: string | undefined;
}

/** One server, the pools of one worker to it, and how many connections it can give. */
export interface ServerCapacity {
  readonly name: string;
  readonly maxConnections: number;
  /** Kept by PostgreSQL for superusers and reserved roles. */
  readonly reservedByServer: number;
  /** Kept by us for replication, monitoring, administration; default: a fifth of `maxConnections`, as in the guide. */
  readonly reserve: number | undefined;
}

/** Connections without which a worker's pool cannot do its work: one to a standby is the watch's own. */
export const leastOpen: Readonly<Record<Role, number>> = { write: 1, read: 2 };

/** Of the supervisor to each server, for PostgreSQL's own numbers and for its role: a part of the reserve, which is never less. */
const metricsConnections = 2;

export interface ConnectionBudget {
  /** Connections for one worker's pool of each role. */
  readonly maxOpen: Partial<Record<Role, number>>;
  /** What had to give way, for the operator. */
  readonly notes: readonly string[];
  /** Why it cannot work; empty when it does. */
  readonly problems: readonly string[];
}

/** Connections of one worker to the write server, and to each read server: the least of all plans, because the pools are alike. */
export function openOf(plans: readonly Pick<ConnectionBudget, 'maxOpen'>[]): Record<Role, number> {
  const least = (role: Role): number => Math.min(...plans.map((one) => one.maxOpen[role] ?? Number.POSITIVE_INFINITY));
  return { write: least('write'), read: least('read') };
}

/**
 * Fits the pools of all workers into what a server can give:
 * `max open × workers × roles ≤ max_connections − reserved`. Defaults shrink to fit; numbers that somebody asked for
 * are refused instead, with the arithmetic. The guide's own numbers (8 workers × 100 into 500) do not fit.
 */
export function planConnections(
  server: ServerCapacity,
  workers: number,
  wishes: readonly PoolWish[],
): ConnectionBudget {
  const reserve = Math.max(metricsConnections, server.reserve ?? Math.floor(server.maxConnections / 5));
  const available = server.maxConnections - server.reservedByServer - reserve;
  const arithmetic =
    `${server.name} has max_connections = ${server.maxConnections}, less ${server.reservedByServer} reserved by PostgreSQL, ` +
    `less a reserve of ${reserve}: ${available} remain for ${workers} worker${workers === 1 ? '' : 's'}`;
  const asked = wishes.filter((wish) => wish.askedBy !== undefined);
  const open = wishes.filter((wish) => wish.askedBy === undefined);
  const taken = asked.reduce((sum, wish) => sum + wish.maxOpen, 0);
  const share = open.length === 0 ? 0 : Math.floor((available / workers - taken) / open.length);
  if (taken * workers > available || open.some(({ role }) => share < leastOpen[role])) {
    return { maxOpen: {}, notes: [], problems: [`${arithmetic}; ${explain(wishes, workers)}. ${advice(asked)}`] };
  }
  const shrunk = open.filter((wish) => wish.maxOpen > share);
  return {
    maxOpen: Object.fromEntries(
      wishes.map((wish) => [wish.role, wish.askedBy === undefined ? Math.min(share, wish.maxOpen) : wish.maxOpen]),
    ),
    notes: shrunk.map(
      (wish) => `${arithmetic}; the ${wish.role} pool shrinks from ${wish.maxOpen} to ${share} connections a worker`,
    ),
    problems: [],
  };
}

function explain(wishes: readonly PoolWish[], workers: number): string {
  const sum = wishes.reduce((total, wish) => total + wish.maxOpen, 0) * workers;
  const terms = wishes.map(
    (wish) => `${wish.role} ${wish.maxOpen}${wish.askedBy === undefined ? '' : ` (${wish.askedBy})`}`,
  );
  const perWorker = terms.length === 1 ? terms.join('') : `(${terms.join(' + ')})`;
  return `${perWorker} × ${workers} = ${sum} do not fit`;
}

function advice(asked: readonly PoolWish[]): string {
  const names = asked.map((wish) => wish.askedBy).join(' or ');
  return `Lower ${names === '' ? 'WORKERS' : `${names}, or WORKERS`}, or raise max_connections.`;
}
