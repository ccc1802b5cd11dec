import type { LoadedConfig } from './config.ts';
import type { ConnectionLimits } from './http/connections.ts';
import { listenersPerProcess } from './http/listeners.ts';
import { OperatorError } from './lib/operator-error.ts';
import { openFilesLimit } from './process/open-files-limit.ts';
import type { Log } from './telemetry/log.ts';

export interface ConnectionPlan {
  /** `MAX_CONNECTIONS`. */
  readonly wanted: number;
  /** `MAX_CONNECTIONS_PER_ADDRESS`; undefined is half of the worker's limit. */
  readonly perAddress: number | undefined;
  /** Of one worker, to all servers together. */
  readonly databaseConnections: number;
  /** The process's limit of open files; undefined when unlimited. */
  readonly openFiles: number | undefined;
  /** Whether the worker shares its process with the supervisor. */
  readonly isInProcess: boolean;
}

/** Own files: event loop, log, supervisor channel, resolver, cancellations, traces. An idle worker has about 30. */
const ownFiles = 64;

/** Of the supervisor: pipes and lock of the databases, connections for metrics, the listener of METRICS_PORT. */
const supervisorFiles = 64;

/** For temporary files, and for a small error in this sum. */
const margin = 32;

/** Fewer are not useful. */
const minConnections = 32;

/**
 * Client connections of one worker: `MAX_CONNECTIONS`, reduced to what the limit of open files leaves when the database
 * pools are full. Throws with the calculation when that is too little.
 */
export function limitConnections(plan: ConnectionPlan): ConnectionLimits & { readonly isCut: boolean } {
  const { wanted, openFiles = Number.POSITIVE_INFINITY, databaseConnections, isInProcess } = plan;
  const reserve = databaseConnections + listenersPerProcess + ownFiles + margin + (isInProcess ? supervisorFiles : 0);
  const total = Math.min(wanted, openFiles - reserve);
  if (total < Math.min(wanted, minConnections)) {
    throw new OperatorError(
      `The system lets a process open ${openFiles} files. A worker needs ${reserve} for itself, of which ${databaseConnections} are ` +
        `connections to the databases, and ${minConnections} for clients. Raise the limit (\`ulimit -n 65536\`, LimitNOFILE=65536), ` +
        'or lower DB_WRITE_MAX_OPEN_CONNS and DB_READ_MAX_OPEN_CONNS',
    );
  }
  return { total, perAddress: plan.perAddress ?? Math.ceil(total / 2), isCut: total < wanted };
}

/** The limits of one worker, from the configuration and this process; workers have the same limit of open files. */
export function fitConnections(
  { config: { server }, sources }: LoadedConfig,
  databaseConnections: number,
  log: Log,
): ConnectionLimits {
  const { maxConnections: wanted, maxConnectionsPerAddress: perAddress, enablePrefork } = server;
  const openFiles = openFilesLimit();
  const plan = { wanted, perAddress, databaseConnections, openFiles, isInProcess: !enablePrefork };
  const { isCut, ...limits } = limitConnections(plan);
  const told = { maxConnections: wanted, openFiles, perWorker: limits.total };
  if (isCut && sources['server.maxConnections'] === 'default')
    log.info(told, 'client connections are limited by the open files');
  else if (isCut) log.warn(told, 'MAX_CONNECTIONS is reduced to fit the limit of open files');
  return limits;
}
