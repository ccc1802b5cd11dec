import { changedOptions } from './changed-options.ts';
import type { Config, LoadedConfig } from './config.ts';
import { listOf, type Endpoints } from './db/endpoint.ts';
import type { Role } from './db/pool.ts';
import type { WatchOptions } from './db/watched-servers.ts';
import type { EmbeddedOptions } from './embedded/open-data.ts';
import { EmbeddedPair } from './embedded/pair.ts';
import { externalEndpoints } from './endpoints.ts';
import type { ConnectionLimits } from './http/connections.ts';
import type { Clock } from './lib/clock.ts';
import { OperatorError } from './lib/operator-error.ts';
import { MetricsService } from './metrics-service.ts';
import { prepareDatabases, type PreparedDatabases, type PrepareOptions } from './prepare-databases.ts';
import { findPort } from './process/port.ts';
import { InProcessWorker } from './process/in-process-worker.ts';
import { oneOff } from './process/one-off.ts';
import { servedUrls } from './process/served-urls.ts';
import type { Service } from './process/service.ts';
import { holdRunFolder } from './run-folder.ts';
import { ServerRoles } from './server-roles.ts';
import { Workers } from './process/workers.ts';
import { Events, type RecordEvent } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import { serve, type WorkerSettings } from './worker.ts';

export interface SupervisorServices {
  readonly log: Log;
  /** A worker's log; its lines name the worker. */
  readonly workerLog: (worker: number) => Log;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly random: () => number;
  /** Something that was serving cannot go on. */
  readonly onFatal: (reason: string) => void;
  /** The program that worker processes run. */
  readonly exec: string;
  readonly version: string;
}

export interface Supervisor {
  /** In the order in which they start. */
  readonly services: readonly Service[];
  /**
   * Replaces the workers by ones with another configuration. Resolves with the names of the options that have changed; rejects
   * with the reason when it cannot be, and then nothing has changed, or only for the workers before one that did not start.
   */
  readonly reload: (loaded: LoadedConfig, signal: AbortSignal) => Promise<readonly string[]>;
  readonly record: RecordEvent;
  /** What a person wants to know of it, once it has started. */
  readonly summary: () => Summary;
}

export interface Summary {
  /** Of each address that is served. */
  readonly urls: readonly string[];
  /** Of the live page, on each address; empty when there is none. */
  readonly opsUrls: readonly string[];
  readonly workers: number;
  readonly routes: readonly string[];
  readonly endpoints: Endpoints;
  readonly maxOpen: Readonly<Record<Role, number>>;
  /** Of clients, to one worker. */
  readonly connectionLimits: ConnectionLimits;
  /** Whether the databases are ours. */
  readonly embedded: boolean;
}

/** The whole server as services: port → databases → schema → workers. */
export function createSupervisor({ config, sources }: LoadedConfig, about: SupervisorServices): Supervisor {
  const events = new Events(about.wallMs);
  const { record } = events;
  const { host, enablePrefork, startTimeoutMs, shutdownTimeoutMs: stopTimeoutMs } = config.server;
  const workers = enablePrefork ? config.server.workers : 1;
  const external = externalEndpoints(config);
  const embedded = external === undefined ? createPair(config, { ...about, record }) : undefined;
  let prepared: PreparedDatabases | undefined;
  const endpoints = (): Endpoints => prepared?.endpoints ?? external ?? listOf(orFail(embedded).endpoints);
  let port = config.server.port;
  let current: LoadedConfig = { config, sources };
  const url = (): string => servedUrls(host, port)[0];

  const findFreePort = oneOff('port', async () => void (port = await findPort(host, config.server.port)));
  const isEmbedded = embedded !== undefined;
  const preparing = (loaded: LoadedConfig): PrepareOptions => ({ ...about, loaded, workers, isEmbedded });
  const prepareSchema = oneOff('schema', async (signal) => {
    prepared = await prepareDatabases(endpoints(), preparing(current), signal);
  });

  const settingsOf =
    ({ config: its }: LoadedConfig, databases: PreparedDatabases) =>
    (worker: number): WorkerSettings => ({
      config: its,
      ...databases,
      worker,
      url: url(),
      version: about.version,
      listen: { host, port, reusePort: systemHasReusePort },
    });
  const settings = (worker: number): WorkerSettings => settingsOf(current, orFail(prepared))(worker);
  const watched = (): WatchOptions => {
    const { endpoints: found, systemIdentifier } = orFail(prepared);
    const prepare = current.config.db.preparedStatements === 'on';
    return { ...found, systemIdentifier, applicationName: 'messenger roles', prepare };
  };
  const roles = new ServerRoles({ ...about, watched, record });
  const { servers } = roles;
  const metrics = new MetricsService({ ...about, config, events, servers, embedded, workers: () => serving });
  const { watch } = metrics;
  const serving: Workers<WorkerSettings> | InProcessWorker = enablePrefork
    ? new Workers({ ...about, count: workers, settings, watch, record, startTimeoutMs, stopTimeoutMs })
    : new InProcessWorker(async () => serve(settings(1), { ...about, watch, log: about.workerLog(1) }));
  const announce = oneOff('announcement', async () => embedded?.announce(url()));

  const reload = async (next: LoadedConfig, signal: AbortSignal): Promise<readonly string[]> => {
    const changed = changedOptions(current.config, next.config);
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]);
    const found = await prepareDatabases(externalEndpoints(next.config) ?? endpoints(), preparing(next), inTime);
    const adopt = (): void => void ([current, prepared] = [next, found]);
    try {
      await reloadWorkers(serving, settingsOf(next, found), adopt);
    } finally {
      if (current === next) await Promise.all([metrics.follow(next.config), roles.restart()]);
    }
    return changed;
  };

  return {
    reload,
    record,
    services: [
      findFreePort,
      ...(embedded === undefined ? [] : [embedded]),
      prepareSchema,
      roles,
      metrics,
      // Asked again, because another server may have taken it meanwhile, and with SO_REUSEPORT both would listen without an error.
      oneOff('port, again', async () => void (await findPort(host, port))),
      serving,
      announce,
      ...(config.server.runDir === undefined ? [] : [holdRunFolder(config.server.runDir, url)]),
    ],
    summary: () => ({
      urls: servedUrls(host, port),
      opsUrls: opsUrls(config, port),
      workers,
      routes: serving.report.routes,
      endpoints: endpoints(),
      maxOpen: orFail(prepared).maxOpen,
      connectionLimits: orFail(prepared).connectionLimits,
      embedded: isEmbedded,
    }),
  };
}

async function reloadWorkers(
  serving: Workers<WorkerSettings> | InProcessWorker,
  settings: (worker: number) => WorkerSettings,
  onProven: () => void,
): Promise<void> {
  if (serving instanceof InProcessWorker)
    throw new OperatorError('With ENABLE_PREFORK=false there are no worker processes to replace; restart the server.');
  await serving.reload(settings, onProven);
}

/** Elsewhere the workers share one listener of the supervisor. Node's documentation, `server.listen`, `reusePort`. */
const systemHasReusePort = process.platform === 'linux' || process.platform === 'freebsd';

function createPair(
  { embedded, db }: Config,
  services: Pick<EmbeddedOptions, 'log' | 'clock' | 'record'>,
): EmbeddedPair {
  return new EmbeddedPair({ ...embedded, durability: db.durability, ...services });
}

/** With its own port it is served there alone. */
function opsUrls({ server, metrics }: Config, mainPort: number): readonly string[] {
  if (!metrics.enabled) return [];
  const urls = metrics.port === undefined ? servedUrls(server.host, mainPort) : servedUrls(metrics.host, metrics.port);
  return urls.map((url) => `${url}/ops`);
}

function orFail<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('asked for before it was there: services start in the wrong order');
  return value;
}
