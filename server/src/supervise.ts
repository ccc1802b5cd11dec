import { fileURLToPath } from 'node:url';

import type { Config, LoadedConfig } from './config.ts';
import { listOf, placeOf, type Endpoint, type Endpoints } from './db/endpoint.ts';
import { migrateUp } from './db/migrations.ts';
import type { Role } from './db/pool.ts';
import { waitForReplay } from './db/replay.ts';
import { waitForServers } from './db/wait-for-servers.ts';
import type { EmbeddedOptions } from './embedded/open-data.ts';
import { EmbeddedPair } from './embedded/pair.ts';
import { externalEndpoints } from './endpoints.ts';
import { areOneServer } from './db/identity.ts';
import type { Clock } from './lib/clock.ts';
import { MetricsService } from './metrics-service.ts';
import { fitPools, planPools } from './plan-pools.ts';
import { findPort } from './process/port.ts';
import { InProcessWorker } from './process/in-process-worker.ts';
import { oneOff } from './process/one-off.ts';
import { servedUrls } from './process/served-urls.ts';
import type { Service } from './process/service.ts';
import { Workers } from './process/workers.ts';
import { Events } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import type { NamedServer } from './telemetry/postgres-metrics.ts';
import { serve, type WorkerSettings } from './worker.ts';

export const migrationsDir = fileURLToPath(new URL('../migrations', import.meta.url));

/** How long a start waits for a new schema to reach the read server, before it lets reads fail for a while. */
const replayMs = 10_000;

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
  /** Whether the databases are ours. */
  readonly embedded: boolean;
}

/** The whole server as services: port → databases → schema → workers. */
export function createSupervisor({ config, sources }: LoadedConfig, about: SupervisorServices): Supervisor {
  const { log } = about;
  const events = new Events(about.wallMs);
  const { record } = events;
  const { host, enablePrefork, startTimeoutMs, shutdownTimeoutMs: stopTimeoutMs } = config.server;
  const workers = enablePrefork ? config.server.workers : 1;
  const external = externalEndpoints(config);
  const embedded = external === undefined ? createPair(config, { ...about, record }) : undefined;
  const endpoints = (): Endpoints => external ?? listOf(orFail(embedded).endpoints);
  let port = config.server.port;
  let maxOpen: Record<Role, number> | undefined;
  let standbys: readonly Endpoint[] = [];
  const url = (): string => servedUrls(host, port)[0];

  const findFreePort = oneOff('port', async () => {
    port = await findPort(host, config.server.port);
  });

  // Asked first, so that a taken port is told at once; and again, because another server may have taken it meanwhile,
  // and with SO_REUSEPORT both would listen without an error. (Two that start within the same half second still do.)
  const confirmPort = oneOff('port, again', async () => {
    await findPort(host, port);
  });

  const prepareSchema = oneOff('schema', async (signal) => {
    const { connectTimeoutMs } = config.db;
    const { write, reads } = endpoints();
    // Our own standby is fit by construction, and may come up after the primary; readiness waits for it, the start not.
    const asked = embedded === undefined ? { write, reads } : { write, reads: [write] };
    const found = await waitForServers(asked, { connectTimeoutMs, signal, random: about.random, log });
    const isApart = embedded !== undefined;
    const again = found.reads.filter(({ facts }) => !isApart && areOneServer(facts, found.write));
    standbys = reads.filter((read) => again.every(({ endpoint }) => endpoint !== read));
    const planned = { write: found.write, reads: found.reads.map((read) => ({ ...read, isApart })) };
    maxOpen = fitPools(planPools({ config, sources }, workers, planned), log);
    const applied = await migrateUp({ endpoint: write, dir: migrationsDir, connectTimeoutMs, log });
    if (applied.length === 0) return;
    log.info({ applied }, 'the schema was migrated');
    const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(replayMs)]);
    const present = embedded === undefined ? found.reads.map(({ endpoint }) => endpoint) : reads;
    const wait = async (read: Endpoint): Promise<void> => {
      if (await waitForReplay({ write, read }, session, inTime)) return;
      log.warn({ read: placeOf(read) }, 'the read server does not have the schema yet');
    };
    await Promise.all(present.map(wait));
  });

  const settings = (worker: number): WorkerSettings => ({
    config,
    endpoints: endpoints(),
    maxOpen: orFail(maxOpen),
    worker,
    url: url(),
    version: about.version,
    listen: { host, port, reusePort: systemHasReusePort },
  });
  const servers = (): NamedServer[] => [{ name: 'primary', endpoint: endpoints().write }, ...nameStandbys(standbys)];
  const metrics = new MetricsService({ ...about, config, servers, embedded, workers: () => serving });
  const { collect } = metrics;
  const serving: Workers<WorkerSettings> | InProcessWorker = enablePrefork
    ? new Workers({ ...about, count: workers, settings, collect, record, startTimeoutMs, stopTimeoutMs })
    : new InProcessWorker(async () => serve(settings(1), { ...about, collect, log: about.workerLog(1) }));
  const announce = oneOff('announcement', async () => embedded?.announce(url()));

  return {
    services: [
      findFreePort,
      ...(embedded === undefined ? [] : [embedded]),
      prepareSchema,
      metrics,
      confirmPort,
      serving,
      announce,
    ],
    summary: () => ({
      urls: servedUrls(host, port),
      opsUrls: opsUrls(config, port),
      workers,
      routes: serving.report.routes,
      endpoints: endpoints(),
      maxOpen: orFail(maxOpen),
      embedded: embedded !== undefined,
    }),
  };
}

/** `standby`, or with several of them `standby 1` and so on. */
function nameStandbys(standbys: readonly Endpoint[]): NamedServer[] {
  const nameOf = (index: number): string => (standbys.length === 1 ? 'standby' : `standby ${index + 1}`);
  return standbys.map((endpoint, index) => ({ name: nameOf(index), endpoint }));
}

/** Elsewhere the workers share one listener of the supervisor. Node's documentation, `server.listen`, `reusePort`. */
const systemHasReusePort = process.platform === 'linux' || process.platform === 'freebsd';

function createPair({ embedded }: Config, services: Pick<EmbeddedOptions, 'log' | 'clock' | 'record'>): EmbeddedPair {
  return new EmbeddedPair({ ...embedded, ...services });
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
