import type { Databases } from '../db/databases.ts';
import type { DbObserver } from '../db/observer.ts';
import type { HttpObserver } from '../http/observer.ts';
import { readConnections, type WatchedConnections } from './connection-metrics.ts';
import { countStatements, readDatabases } from './database-metrics.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { readProcess, watchProcess } from './process-metrics.ts';
import { countRequests } from './request-metrics.ts';

/** What one worker counts of itself. */
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
