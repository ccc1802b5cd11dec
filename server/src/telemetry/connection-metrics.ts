import { shedReasons, type Connections } from '../http/connections.ts';
import type { Metrics } from './metrics.ts';

export type WatchedConnections = Pick<Connections, 'counts' | 'limits' | 'shed'>;

/** Sets how many client connections there are now, and how many were closed for want of room so far. */
export function readConnections(metrics: Metrics, { counts, limits, shed }: WatchedConnections): void {
  for (const state of ['active', 'idle', 'silent'] as const)
    metrics.set('messenger_http_connections', counts[state], state);
  metrics.set('messenger_http_max_connections', limits.total);
  for (const reason of shedReasons) metrics.set('messenger_http_connections_shed_total', shed[reason], reason);
}
