import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { placeOf, type Endpoint, type Endpoints } from './endpoint.ts';
import { Probe } from './probe.ts';
import { Server } from './server.ts';
import { Topology } from './topology.ts';

export interface WatchOptions extends Endpoints {
  readonly applicationName: string;
  readonly prepare: boolean;
  /** The database cluster; default: that of the first primary found. */
  readonly systemIdentifier?: string | undefined;
  /** See `Topology`. */
  readonly isOpenForWrites?: boolean;
}

export interface WatchedServers {
  readonly topology: Topology;
  /** The server at one of the endpoints, shared by all pools to it. */
  readonly serverOf: (endpoint: Endpoint) => Server;
}

/** Watches the servers of all endpoints over one connection to each, once the topology has started. */
export function watchServers(
  { write, otherWrites = [], reads, applicationName, prepare, ...about }: WatchOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): WatchedServers {
  const servers = new Map<string, Server>();
  const serverOf = (endpoint: Endpoint): Server => {
    const key = `${endpoint.user}@${placeOf(endpoint)}/${endpoint.database}`;
    const server = servers.get(key) ?? new Server(endpoint, new Probe({ endpoint, applicationName, prepare, clock }));
    servers.set(key, server);
    return server;
  };
  const candidates = [write, ...otherWrites].map(serverOf);
  const standbys = reads.map(serverOf);
  return { topology: new Topology({ ...about, candidates, standbys, clock, log }), serverOf };
}
