import { changedOptions } from './changed-options.ts';
import type { Config, LoadedConfig } from './config.ts';
import type { Endpoints } from './db/endpoint.ts';
import type { Role } from './db/pool.ts';
import { DatabasesInUse, haveSamePools } from './databases-in-use.ts';
import type { EmbeddedOptions } from './embedded/open-data.ts';
import { EmbeddedPair } from './embedded/pair.ts';
import { externalEndpoints } from './endpoints.ts';
import { FeedService } from './feed-service.ts';
import type { ConnectionLimits } from './http/connections.ts';
import type { Clock } from './lib/clock.ts';
import { OperatorError } from './lib/operator-error.ts';
import { LatePrimary } from './late-primary.ts';
import { MetricsService } from './metrics-service.ts';
import type { PreparedDatabases } from './prepare-databases.ts';
import { findPort, systemHasReusePort } from './process/port.ts';
import { InProcessWorker } from './process/in-process-worker.ts';
import { servedUrls } from './process/served-urls.ts';
import { oneOff, type Service } from './process/service.ts';
import { holdRunFolder } from './run-folder.ts';
import { ServerRoles } from './server-roles.ts';
import { Workers } from './process/workers.ts';
import { Events, type RecordEvent } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import type { serve, WorkerSettings } from './worker.ts';

export interface SupervisorServices {
  readonly log: Log;
  /** A worker's log; its lines name the worker. */
  readonly workerLog: (worker: number) => Log;
  readonly feedLog: Log;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly random: () => number;
  /** Called when a service that was running has failed permanently. */
  readonly onFatal: (reason: string) => void;
  /** The program that worker processes run. */
  readonly exec: string;
  readonly version: string;
}

export interface Supervisor {
  /** In the order in which they start. */
  readonly services: readonly Service[];
  /**
   * Replaces the workers by ones with another configuration. Resolves with the names of the changed options. Rejects
   * with the reason; then nothing has changed, or only for the workers before one that did not start.
   */
  readonly reload: (loaded: LoadedConfig, signal: AbortSignal) => Promise<readonly string[]>;
  readonly record: RecordEvent;
  /** A description for the operator, available after the start. */
  readonly summary: () => Summary;
}

export interface Summary {
  /** Per served address. */
  readonly urls: readonly string[];
  /** Of the live page, per address; empty when there is none. */
  readonly opsUrls: readonly string[];
  readonly workers: number;
  readonly routes: readonly string[];
  readonly endpoints: Endpoints;
  readonly maxOpen: Readonly<Record<Role, number>>;
  /** Client connections of one worker. */
  readonly connectionLimits: ConnectionLimits;
  /** Whether the databases are embedded. */
  readonly embedded: boolean;
  /** Whether writes are served. */
  readonly isPrimaryReady: boolean;
}

/** The whole server as services: port → databases → schema → feed → workers. */
export function createSupervisor(loaded: LoadedConfig, about: SupervisorServices): Supervisor {
  const { config } = loaded;
  const events = new Events(about.wallMs);
  const { record } = events;
  const { host, enablePrefork, startTimeoutMs, shutdownTimeoutMs: stopTimeoutMs } = config.server;
  const workers = enablePrefork ? config.server.workers : 1;
  // Reads certificates, which may be readable for root only.
  const external = externalEndpoints(config);
  const embedded = external === undefined ? createPair(config, about) : undefined;
  const inUse = new DatabasesInUse({ ...about, loaded, workers, external, embedded });
  let port = config.server.port;
  const url = (): string => servedUrls(host, port)[0];
  const findFreePort = oneOff('port', async () => void (port = await findPort(host, config.server.port)));

  const settingsOf =
    ({ config: its }: LoadedConfig, databases: PreparedDatabases) =>
    (worker: number): WorkerSettings => ({
      config: its,
      ...databases,
      worker,
      url: url(),
      feedPath: feed.path,
      version: about.version,
      listen: { host, port, reusePort: systemHasReusePort },
    });
  const settings = (worker: number): WorkerSettings => settingsOf(inUse.loaded, inUse.found)(worker);
  const roles = new ServerRoles({ ...about, watched: inUse.watched, record, durability: config.db.durability });
  const feed = new FeedService({ ...about, record, inUse, isEmbedded: embedded !== undefined });
  const { servers } = roles;
  const metrics = new MetricsService({ ...about, config, events, servers, embedded, feed, workers: () => serving });
  const { watch } = metrics;
  const serving: Workers<WorkerSettings> | InProcessWorker = enablePrefork
    ? new Workers({ ...about, count: workers, settings, watch, record, startTimeoutMs, stopTimeoutMs })
    : new InProcessWorker(async () => serveHere(settings(1), { ...about, watch, log: about.workerLog(1) }));
  const latePrimary = new LatePrimary<PreparedDatabases>({
    ...about,
    record,
    isMissing: () => !inUse.found.isPrimaryReady,
    prepare: async (signal) => inUse.preparePrimary(signal),
    adopt: async (found) => {
      const isSame = haveSamePools(inUse.found, found);
      inUse.adopt(inUse.loaded, found);
      await letWrite(serving, isSame ? undefined : settings);
      await roles.restart();
    },
  });

  const reload = async (next: LoadedConfig, signal: AbortSignal): Promise<readonly string[]> => {
    const replaced = assertReplaceable(serving);
    const changed = changedOptions(inUse.loaded.config, next.config);
    const found = await inUse.prepare(next, AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]));
    await latePrimary.stop();
    try {
      await replaced.reload(settingsOf(next, found), () => inUse.adopt(next, found));
    } finally {
      if (inUse.loaded === next) await Promise.all([metrics.follow(next.config), roles.restart(), feed.follow()]);
      await latePrimary.start();
    }
    return changed;
  };

  return {
    reload,
    record,
    services: [
      findFreePort,
      ...(embedded === undefined ? [] : [embedded]),
      oneOff('schema', async (signal) => inUse.start(signal)),
      roles,
      metrics,
      feed,
      // Checked again: another server may have taken the port meanwhile, and with SO_REUSEPORT both would listen
      // without an error.
      oneOff('port, again', async () => void (await findPort(host, port))),
      serving,
      latePrimary,
      oneOff('announcement', async () => embedded?.announce(url())),
      ...(config.server.runDir === undefined ? [] : [holdRunFolder(config.server.runDir, url)]),
    ],
    summary: () =>
      summarise(config, port, { ...inUse.found, ...serving.report, workers, embedded: embedded !== undefined }),
  };
}

/** Loads the app and its packages, which a supervisor of worker processes does not need. */
const serveHere: typeof serve = async (...args) => (await import('./worker.ts')).serve(...args);

/** Replaces workers if their pools must change; `settings` are those of the new ones. */
async function letWrite(
  serving: Workers<WorkerSettings> | InProcessWorker,
  settings: ((worker: number) => WorkerSettings) | undefined,
): Promise<void> {
  if (settings === undefined || serving instanceof InProcessWorker) serving.admitWrites();
  else await serving.reload(settings);
}

function assertReplaceable(serving: Workers<WorkerSettings> | InProcessWorker): Workers<WorkerSettings> {
  if (serving instanceof InProcessWorker)
    throw new OperatorError('With ENABLE_PREFORK=false there are no worker processes to replace; restart the server.');
  return serving;
}

function createPair({ embedded, db }: Config, services: Pick<EmbeddedOptions, 'log' | 'clock'>): EmbeddedPair {
  return new EmbeddedPair({ ...embedded, durability: db.durability, ...services });
}

function summarise(config: Config, port: number, about: Omit<Summary, 'urls' | 'opsUrls'>): Summary {
  return { ...about, urls: servedUrls(config.server.host, port), opsUrls: opsUrls(config, port) };
}

/** With its own port, only that serves it. */
function opsUrls({ server, metrics }: Config, mainPort: number): readonly string[] {
  if (!metrics.enabled) return [];
  const urls = metrics.port === undefined ? servedUrls(server.host, mainPort) : servedUrls(metrics.host, metrics.port);
  return urls.map((url) => `${url}/ops`);
}
