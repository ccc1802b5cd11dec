import type { Databases } from '../db/databases.ts';
import type { DbObserver } from '../db/observer.ts';
import { shedReasons, type Connections } from '../http/connections.ts';
import type { HttpObserver } from '../http/observer.ts';
import { countStatements, readDatabases } from './database-metrics.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { readProcess, watchProcess } from './process-metrics.ts';
import { countRequests } from './request-metrics.ts';

type WatchedConnections = Pick<Connections, 'counts' | 'limits' | 'shed'>;

/** The metrics of one worker. */
export interface WorkerMetrics {
  readonly http: HttpObserver;
  readonly db: DbObserver;
  measure(databases: Databases, connections: WatchedConnections): Snapshot;
  stop(): void;
}

export function createWorkerMetrics(): WorkerMetrics {
  const metrics = new Metrics();
  const watch = watchProcess(metrics);
  return {
    http: countRequests(metrics),
    db: countStatements(metrics),
    measure: (databases, connections) => {
      readDatabases(metrics, databases);
      readConnections(metrics, connections);
      readProcess(metrics, 'worker');
      watch.read();
      return metrics.snapshot();
    },
    stop: () => watch.stop(),
  };
}

/** Sets the open client connections, and the total of those closed at a limit. */
function readConnections(metrics: Metrics, { counts, limits, shed }: WatchedConnections): void {
  for (const state of ['active', 'idle', 'silent'] as const)
    metrics.set('messenger_http_connections', counts[state], state);
  metrics.set('messenger_http_max_connections', limits.total);
  for (const reason of shedReasons) metrics.set('messenger_http_connections_shed_total', shed[reason], reason);
}
