import type { Endpoint, Endpoints } from '../db/endpoint.ts';
import { watchServers } from '../db/watched-servers.ts';
import type { Clock } from '../lib/clock.ts';
import type { Snapshot } from '../telemetry/metrics.ts';
import type { Log } from '../telemetry/log.ts';
import { measureFeed } from '../telemetry/feed-metrics.ts';
import type { FeedTable } from './feed.ts';
import { FeedServer } from './feed-server.ts';
import { Hub } from './hub.ts';
import { LogFollower } from './log-follower.ts';

/** The settings of the feed; plain data. */
export interface FeedSettings {
  /** The places of the primary, with a role that may replicate. */
  readonly servers: Pick<Endpoints, 'write' | 'otherWrites'>;
  /** The database cluster; default: that of the first primary found. */
  readonly systemIdentifier?: string | undefined;
  readonly tables: readonly FeedTable[];
  /** Of the Unix socket for workers. */
  readonly path: string;
  readonly connectTimeoutMs: number;
  /** Whether it is a process of its own; else its memory and CPU time count as those of the main process. */
  readonly isAlone: boolean;
}

export interface FeedServices {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A feed that runs. */
export interface Feed {
  measure(): Snapshot;
  stop(): Promise<void>;
}

/** Resolves when workers can connect, whether or not the primary answers. */
export async function runFeed(settings: FeedSettings, services: FeedServices): Promise<Feed> {
  const { servers, tables, path, connectTimeoutMs } = settings;
  const hub = new Hub(tables);
  const server = new FeedServer(hub, path);
  const isAlone = (servers.otherWrites ?? []).length === 0;
  const primary = isAlone ? fixedPrimary(servers.write) : watchPrimary(settings, services);
  const follower = new LogFollower({ ...services, sink: hub, findPrimary: primary.find, connectTimeoutMs });
  await server.start();
  await primary.start((endpoint) => follower.primaryIs(endpoint));
  follower.start();
  return {
    measure: () => measureFeed(follower.state, hub.counts, settings.isAlone),
    stop: async () => {
      await follower.stop();
      await primary.stop();
      await server.stop();
    },
  };
}

interface PrimaryFinder {
  readonly find: () => Promise<Endpoint>;
  readonly start: (onPrimary: (endpoint: Endpoint) => void) => Promise<void>;
  readonly stop: () => Promise<void>;
}

function fixedPrimary(endpoint: Endpoint): PrimaryFinder {
  return { find: async () => endpoint, start: async () => undefined, stop: async () => undefined };
}

/** Of several servers, the one that the pools of the workers take for the primary, too. */
function watchPrimary({ servers, systemIdentifier }: FeedSettings, services: FeedServices): PrimaryFinder {
  const about = { ...servers, reads: [], systemIdentifier, applicationName: 'messenger feed', prepare: true };
  const { topology } = watchServers(about, services);
  return {
    find: async () => {
      if (topology.primary?.isWritable !== true) await topology.look();
      if (topology.primary?.isWritable !== true) throw new Error('none of the servers is a primary');
      return topology.primary.server.endpoint;
    },
    start: async (onPrimary) => {
      topology.onAnswer(() => {
        if (topology.primary?.isWritable === true) onPrimary(topology.primary.server.endpoint);
      });
      await topology.start();
    },
    stop: async () => topology.stop(),
  };
}
