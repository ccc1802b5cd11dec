import type { LoadedConfig } from './config.ts';
import { openOf, planConnections, type ConnectionBudget, type PoolWish } from './db/connection-budget.ts';
import { placeOf, type Endpoint } from './db/endpoint.ts';
import { areOneServer } from './db/identity.ts';
import type { Role } from './db/pool.ts';
import type { InspectedRead, ServerFacts } from './db/server-facts.ts';
import { OperatorError } from './lib/operator-error.ts';
import type { Log } from './telemetry/log.ts';

interface PlannedRead extends InspectedRead {
  /** Known to be a separate server, without having been queried: it has the facts of its primary. */
  readonly isApart?: boolean;
}

interface PlannedServers {
  readonly write: ServerFacts;
  readonly reads: readonly PlannedRead[];
}

/**
 * How the pools of all workers fit into the servers; one plan per server. A read server may become the primary, so it
 * needs room for both pools, as far as the numbers are defaults. Explicit numbers that fit until then are kept.
 */
export function planPools(loaded: LoadedConfig, workers: number, servers: PlannedServers): ConnectionBudget[] {
  return poolRequestsOf(loaded, servers).map(({ name, facts, requests, requestsAsPrimary }) => {
    const { maxConnections, reservedConnections: reservedByServer } = facts;
    const { db, server } = loaded.config;
    const capacity = { name, maxConnections, reservedByServer, reserve: db.reservedConns };
    const workersAtReload = server.enablePrefork ? workers + 1 : workers;
    const plan = planConnections(capacity, workers, requests, workersAtReload);
    if (requestsAsPrimary === undefined || plan.problems.length > 0) return plan;
    const asPrimary = planConnections(capacity, workers, requestsAsPrimary, workersAtReload);
    if (asPrimary.problems.length === 0) return asPrimary;
    const notes = asPrimary.problems.map((problem) => `after a failover to this server: ${problem}`);
    return { ...plan, notes: [...plan.notes, ...notes] };
  });
}

/**
 * Connections of one worker to the write server, and to each read server. Throws with the calculation when they do not
 * fit.
 */
export function fitPools(plans: readonly ConnectionBudget[], log: Log): Record<Role, number> {
  const problems = plans.flatMap((one) => one.problems);
  if (problems.length > 0) throw new OperatorError(problems.join('\n'));
  for (const note of plans.flatMap((one) => [...one.notes, ...one.reloadNotes])) log.warn(note);
  return openOf(plans); // The capacity of an unavailable read server is unknown.
}

/** The pools of each worker to one server, and that server's capacity. */
interface ServerRequests {
  readonly name: string;
  readonly facts: ServerFacts;
  readonly requests: readonly PoolWish[];
  /** After it has become the primary; undefined if it is, or never does. */
  readonly requestsAsPrimary?: readonly PoolWish[];
}

/** A read server that is the write server shares its connections. Unavailable servers are not counted. */
function poolRequestsOf(loaded: LoadedConfig, { write, reads }: PlannedServers): ServerRequests[] {
  const ofRead = poolRequest('read', loaded);
  const isWrite = ({ facts, isApart }: PlannedRead): boolean => isApart !== true && areOneServer(facts, write);
  const readName = (endpoint: Endpoint): string => (reads.length === 1 ? '' : ` ${placeOf(endpoint)}`);
  return [
    {
      name: 'The write server',
      facts: write,
      requests: [poolRequest('write', loaded), ...reads.filter(isWrite).map(() => ofRead)],
    },
    ...reads
      .filter((read) => !isWrite(read))
      .map(({ endpoint, facts, isApart = false }) => ({
        name: `The read server${readName(endpoint)}`,
        facts,
        requests: [ofRead],
        ...(isApart ? {} : { requestsAsPrimary: [poolRequest('write', loaded), ofRead] }),
      })),
  ];
}

function poolRequest(role: Role, { config, sources }: LoadedConfig): PoolWish {
  const section = `${role}Db` as const;
  const source = sources[`${section}.maxOpenConns`];
  return { role, maxOpen: config[section].maxOpenConns, askedBy: source === 'default' ? undefined : source };
}
