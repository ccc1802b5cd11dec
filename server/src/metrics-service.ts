import type { Config } from './config.ts';
import { listenForMetrics, type MetricsListener } from './metrics-listener.ts';
import type { Service } from './process/service.ts';
import type { WorkerCounts } from './process/workers.ts';
import { backupMeter } from './telemetry/backup-metrics.ts';
import { Collector, type MeasuredWorker } from './telemetry/collector.ts';
import { type EmbeddedServer, measureEmbedded } from './telemetry/embedded-metrics.ts';
import { mergeSnapshots } from './telemetry/merge-snapshots.ts';
import type { Events } from './telemetry/events.ts';
import type { Watch } from './telemetry/live.ts';
import { LiveWatch } from './telemetry/live-watch.ts';
import type { Snapshot } from './telemetry/metrics.ts';
import { PostgresMetrics, type PostgresMetricsOptions } from './telemetry/postgres-metrics.ts';
import { measureSupervisor } from './telemetry/supervisor-metrics.ts';
import { WrongTokenEvents } from './telemetry/wrong-token-events.ts';

export interface MetricsServiceOptions extends PostgresMetricsOptions {
  readonly config: Config;
  readonly version: string;
  readonly events: Events;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** The databases that this program runs, read at each collection. */
  readonly embedded: { readonly servers: readonly EmbeddedServer[] } | undefined;
  readonly feed: { measure(): Promise<Snapshot> };
  readonly workers: () => { readonly counts: WorkerCounts; measure(): Promise<readonly MeasuredWorker[]> };
}

/** Collects the metrics of all processes and of PostgreSQL, and listens on `METRICS_PORT` if that is set. */
export class MetricsService implements Service {
  readonly name = 'metrics';
  readonly #options: MetricsServiceOptions;
  readonly #liveWatch: LiveWatch;
  readonly #wrongTokens: WrongTokenEvents;
  readonly watch: Watch;
  #postgres: PostgresMetrics | undefined;
  #listener: MetricsListener | undefined;
  #token: string | undefined;

  constructor(options: MetricsServiceOptions) {
    this.#options = options;
    const { version, config, clock, wallMs, workers, embedded, events, feed } = options;
    const facts = {
      version,
      startedAtMs: wallMs(),
      isAlone: config.server.enablePrefork,
      counts: () => workers().counts,
    };
    const measureBackup = backupMeter(config.backup);
    const { collect } = new Collector({
      measureWorkers: async () => workers().measure(),
      measureSupervisor: (silent) => measureSupervisor(facts, silent),
      measurePostgres: async () =>
        mergeSnapshots(
          await Promise.all([
            this.#postgres?.read() ?? {},
            measureEmbedded(embedded?.servers ?? []),
            measureBackup(),
            feed.measure(),
          ]),
        ),
      clock,
      wallMs,
    });
    this.#wrongTokens = new WrongTokenEvents(events.record);
    this.#liveWatch = new LiveWatch(collect, events);
    this.watch = { collect, live: this.#liveWatch.live, wrongToken: this.#wrongTokens.add };
  }

  async start(): Promise<void> {
    const { config } = this.#options;
    if (config.metrics.enabled) {
      this.#postgres = new PostgresMetrics(this.#options);
      this.#postgres.start();
      this.#liveWatch.start();
      this.#listener = await this.#listen(config);
    }
  }

  /** Applies a new token to the listener on `METRICS_PORT`. */
  async follow(config: Config): Promise<void> {
    if (this.#listener === undefined || config.metrics.token === this.#token) return;
    await this.#listener.close();
    this.#listener = await this.#listen(config);
  }

  async #listen(config: Config): Promise<MetricsListener | undefined> {
    this.#token = config.metrics.token;
    return await listenForMetrics({ ...this.#options, config, watch: this.watch });
  }

  async stop(): Promise<void> {
    this.#liveWatch.stop();
    this.#wrongTokens.stop();
    await this.#listener?.close();
    await this.#postgres?.close();
  }
}
