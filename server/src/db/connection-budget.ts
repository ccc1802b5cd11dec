import type { Role } from './pool.ts';

/** The pool that one worker requests on one server. */
export interface PoolWish {
  readonly role: Role;
  readonly maxOpen: number;
  /** The option that set the number, such as `DB_WRITE_MAX_OPEN_CONNS`; undefined for the default. */
  readonly askedBy: string | undefined;
}

/** One server, and the number of its connections. */
export interface ServerCapacity {
  readonly name: string;
  readonly maxConnections: number;
  /** Reserved by PostgreSQL for superusers and reserved roles. */
  readonly reservedByServer: number;
  /**
   * Reserved by us for replication, monitoring and administration; default: a fifth of `maxConnections`, as in the
   * guide.
   */
  readonly reserve: number | undefined;
}

/** The minimum for a worker's pool: one connection to a standby is its probe's. */
export const leastOpen: Readonly<Record<Role, number>> = { write: 1, read: 2 };

/** The supervisor's connections to each server, for statistics and the role: part of the reserve. */
export const metricsConnections = 2;

export interface ConnectionBudget {
  /** Connections for one worker's pool of each role. */
  readonly maxOpen: Partial<Record<Role, number>>;
  /** What was reduced, for the operator. */
  readonly notes: readonly string[];
  /** Explicit numbers that fit except during a reload. */
  readonly reloadNotes: readonly string[];
  /** Why the pools cannot fit; empty when they do. */
  readonly problems: readonly string[];
}

/**
 * Connections of one worker to the write server, and to each read server: the minimum of all plans, because all pools
 * of a role have the same size.
 */
export function openOf(plans: readonly Pick<ConnectionBudget, 'maxOpen'>[]): Record<Role, number> {
  const least = (role: Role): number => Math.min(...plans.map((one) => one.maxOpen[role] ?? Number.POSITIVE_INFINITY));
  return { write: least('write'), read: least('read') };
}

/**
 * Fits the pools of all workers into a server: `max open × workers × roles ≤ max_connections − reserved`. Defaults
 * shrink to fit; explicit numbers that do not fit are refused, with the calculation. The guide's own numbers (8 workers
 * × 100 into 500) do not fit.
 *
 * During a reload `workersAtReload` run, one more than usual: its connections come out of the reserve, except those of
 * the supervisor.
 */
export function planConnections(
  server: ServerCapacity,
  workers: number,
  wishes: readonly PoolWish[],
  workersAtReload = workers + 1,
): ConnectionBudget {
  const reserve = Math.max(metricsConnections, server.reserve ?? Math.floor(server.maxConnections / 5));
  const available = server.maxConnections - server.reservedByServer - reserve;
  const arithmetic =
    `${server.name} has max_connections = ${server.maxConnections}, less ${server.reservedByServer} reserved by PostgreSQL, ` +
    `less a reserve of ${reserve}: ${available} remain for ${workers} worker${workers === 1 ? '' : 's'}`;
  const asked = wishes.filter((wish) => wish.askedBy !== undefined);
  const open = wishes.filter((wish) => wish.askedBy === undefined);
  const taken = sumOf(asked);
  const shareOf = (connections: number): number => Math.floor((connections - taken) / Math.max(1, open.length));
  const usual = shareOf(available / workers);
  if (taken * workers > available || open.some(({ role }) => usual < leastOpen[role])) {
    const problems = [`${arithmetic}; ${explain(wishes, workers)}. ${advice(asked)}`];
    return { maxOpen: {}, notes: [], reloadNotes: [], problems };
  }
  const atReload = server.maxConnections - server.reservedByServer - metricsConnections;
  const share = Math.min(usual, Math.max(leastOpen.read, shareOf(atReload / workersAtReload)));
  const forReload = share < usual ? ', and one more during a reload' : '';
  const fitted = wishes.map((wish) =>
    wish.askedBy === undefined ? { ...wish, maxOpen: Math.min(share, wish.maxOpen) } : wish,
  );
  return {
    maxOpen: Object.fromEntries(fitted.map(({ role, maxOpen }) => [role, maxOpen])),
    notes: open
      .filter((wish) => wish.maxOpen > share)
      .map(
        ({ role, maxOpen }) =>
          `${arithmetic}${forReload}; the ${role} pool shrinks from ${maxOpen} to ${share} connections a worker`,
      ),
    reloadNotes: sumOf(fitted) * workersAtReload > atReload ? [describeReload(server, fitted, workersAtReload)] : [],
    problems: [],
  };
}

function sumOf(wishes: readonly PoolWish[]): number {
  return wishes.reduce((sum, { maxOpen }) => sum + maxOpen, 0);
}

function describeReload({ name }: ServerCapacity, wishes: readonly PoolWish[], workers: number): string {
  return `During a reload one more worker runs: on ${name.toLowerCase()} ${explain(wishes, workers)}, and requests may fail.`;
}

function explain(wishes: readonly PoolWish[], workers: number): string {
  const sum = sumOf(wishes) * workers;
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
