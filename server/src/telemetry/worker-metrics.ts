import type { Databases } from '../db/databases.ts';
import type { DbObserver } from '../db/observer.ts';
import { shedReasons, type Connections } from '../http/connections.ts';
import type { HttpObserver } from '../http/observer.ts';
import { endReasons, type SocketFigures } from '../sockets/socket-figures.ts';
import { countStatements, readDatabases } from './database-metrics.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { readProcess, watchProcess } from './process-metrics.ts';
import { countRequests } from './request-metrics.ts';
import type { SyncFigures } from './sync-figures.ts';

type WatchedConnections = Pick<Connections, 'counts' | 'limits' | 'shed'>;

interface Watched {
  readonly databases: Databases;
  readonly connections: WatchedConnections;
  readonly sockets: SocketFigures;
  readonly sync: SyncFigures;
}

/** The metrics of one worker. */
export interface WorkerMetrics {
  readonly http: HttpObserver;
  readonly db: DbObserver;
  measure(watched: Watched): Snapshot;
  stop(): void;
}

export function createWorkerMetrics(): WorkerMetrics {
  const metrics = new Metrics();
  const watch = watchProcess(metrics);
  return {
    http: countRequests(metrics),
    db: countStatements(metrics),
    measure: ({ databases, connections, sockets, sync }) => {
      readDatabases(metrics, databases);
      readConnections(metrics, connections);
      readSockets(metrics, sockets);
      readSync(metrics, sync);
      readProcess(metrics, 'worker');
      watch.read();
      return metrics.snapshot();
    },
    stop: () => watch.stop(),
  };
}

/** Sets the open client connections, and the total of those closed at a limit. */
function readConnections(metrics: Metrics, { counts, limits, shed }: WatchedConnections): void {
  for (const state of ['active', 'idle', 'silent', 'upgraded'] as const)
    metrics.set('messenger_http_connections', counts[state], state);
  metrics.set('messenger_http_max_connections', limits.total);
  for (const reason of shedReasons) metrics.set('messenger_http_connections_shed_total', shed[reason], reason);
}

function readSockets(metrics: Metrics, figures: SocketFigures): void {
  metrics.set('messenger_sockets', figures.open, 'open');
  metrics.set('messenger_sockets', figures.behind, 'behind');
  metrics.set('messenger_socket_frames_total', figures.framesIn, 'in');
  metrics.set('messenger_socket_frames_total', figures.framesOut, 'out');
  metrics.set('messenger_socket_bytes_total', figures.bytesIn, 'in');
  metrics.set('messenger_socket_bytes_total', figures.bytesOut, 'out');
  metrics.set('messenger_socket_behind_total', figures.fellBehind);
  metrics.set('messenger_socket_slow_downs_total', figures.slowDowns);
  for (const reason of endReasons) metrics.set('messenger_sockets_closed_total', figures.endedBy(reason), reason);
}

function readSync(metrics: Metrics, figures: SyncFigures): void {
  for (const [op, count] of figures.frames) metrics.set('messenger_sync_frames_total', count, op);
  metrics.set('messenger_sync_deliveries_total', figures.deliveries);
  metrics.set('messenger_sync_repeats_total', figures.repeats);
  metrics.set('messenger_sync_catch_ups_total', figures.caughtUp);
  metrics.set('messenger_sync_gaps_total', figures.gaps);
  metrics.set('messenger_sync_heals_total', figures.healed);
  metrics.set('messenger_sync_lost_changes_total', figures.lost);
  metrics.series('messenger_sync_delivery_seconds').values.splice(0, Infinity, ...figures.delays.values);
}
