import { isDeepStrictEqual } from 'node:util';

import type { Endpoint } from '../db/endpoint.ts';
import { areOneServer } from '../db/identity.ts';
import type { PoolServices } from '../db/pool.ts';
import { ServerObserver } from '../db/server-observer.ts';
import type { ServerStatistics } from '../db/server-statistics.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { ReplicationLag, type Flushed } from './replication-lag.ts';

/** A server by its label: `primary`, then the standbys. Host names are not used as labels. */
export interface NamedServer {
  readonly name: string;
  readonly endpoint: Endpoint;
}

interface Watched {
  readonly endpoint: Endpoint;
  readonly observer: ServerObserver;
}

export interface PostgresMetricsOptions extends PoolServices {
  /** The current servers, `primary` first. Called at each collection, because they may change. */
  readonly servers: () => readonly NamedServer[];
}

/** The minimum interval between queries of a server, and the interval of the primary's WAL position. */
const freshMs = 500;

/** The statistics of all PostgreSQL servers, queried by one process. */
export class PostgresMetrics {
  readonly #options: PostgresMetricsOptions;
  readonly #lag: ReplicationLag;
  #watched: readonly Watched[] = [];
  #newest: { readonly atMs: number; readonly snapshot: Promise<Snapshot> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isSampling = false;
  #closed: Promise<unknown> = Promise.resolve();

  constructor(options: PostgresMetricsOptions) {
    this.#options = options;
    this.#lag = new ReplicationLag(options.clock);
  }

  /** Starts to record the primary's WAL positions, for the lag of later collections. */
  start(): void {
    this.#timer = setInterval(() => void this.#samplePrimary(), freshMs).unref();
  }

  /** At most half a second old. Resolves within a second, and never rejects. */
  async read(): Promise<Snapshot> {
    const now = this.#options.clock.now();
    if (this.#newest === undefined || now - this.#newest.atMs >= freshMs)
      this.#newest = { atMs: now, snapshot: this.#ask() };
    return await this.#newest.snapshot;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#keepOnly([]);
    await this.#closed;
  }

  /** Observers of the current servers. An endpoint keeps its observer when its server is renamed. */
  #observers(): readonly (NamedServer & Watched)[] {
    const found: (NamedServer & Watched)[] = [];
    for (const { name, endpoint } of this.#options.servers()) {
      const known = [...this.#watched, ...found].find((one) => isDeepStrictEqual(one.endpoint, endpoint));
      const observer = known?.observer ?? new ServerObserver(endpoint, this.#options);
      found.push({ name, endpoint, observer });
    }
    this.#keepOnly(found);
    return found;
  }

  #keepOnly(wanted: readonly Watched[]): void {
    const observers = new Set(wanted.map(({ observer }) => observer));
    const gone = this.#watched.filter(({ observer }) => !observers.has(observer));
    this.#watched = wanted;
    if (gone.length > 0)
      this.#closed = Promise.allSettled([this.#closed, ...gone.map(async ({ observer }) => observer.close())]);
  }

  async #samplePrimary(): Promise<void> {
    const [primary, ...standbys] = this.#observers();
    if (this.#isSampling || standbys.length === 0) return;
    this.#isSampling = true;
    this.#lag.note(await primary?.observer.askFlushed());
    this.#isSampling = false;
  }

  async #ask(): Promise<Snapshot> {
    const metrics = new Metrics();
    const [primary, ...standbys] = await Promise.all(
      this.#observers().map(async ({ name, observer }, index) => {
        const statistics = await observer.ask();
        // Here, because a newer sample may arrive before all servers have answered.
        if (index === 0 && statistics?.inRecovery === false) this.#lag.note(flushedOf(statistics));
        return { name, statistics };
      }),
    );
    for (const { name, statistics } of [primary, ...standbys].filter((one) => one !== undefined)) {
      metrics.set('messenger_postgres_up', statistics === undefined ? 0 : 1, name);
      if (statistics !== undefined) putServer(metrics, name, statistics);
    }
    if (primary?.statistics !== undefined) putDeadRows(metrics, primary.statistics);
    for (const { name, statistics } of standbys)
      if (statistics !== undefined) this.#putReplication(metrics, name, statistics, primary?.statistics);
    return metrics.snapshot();
  }

  #putReplication(
    metrics: Metrics,
    name: string,
    statistics: ServerStatistics,
    primary: ServerStatistics | undefined,
  ): void {
    const state = replicationState(statistics, primary);
    if (state === undefined) return;
    metrics.set('messenger_postgres_replication_state', 1, name, state);
    const { position } = statistics;
    if (state === 'promoted' || state === 'foreign' || position === null || typeof primary?.position !== 'number')
      return;
    metrics.set('messenger_postgres_replication_lag_bytes', Math.max(0, primary.position - position), name);
    metrics.set('messenger_postgres_replication_lag_seconds', this.#lag.secondsOf(position), name);
  }
}

/** Undefined for the primary under a second name. Without a primary, a writable server counts as a promoted one. */
function replicationState(read: ServerStatistics, primary: ServerStatistics | undefined): string | undefined {
  if (primary !== undefined && read.systemIdentifier !== primary.systemIdentifier) return 'foreign';
  if (read.inRecovery) return read.receiver;
  return primary !== undefined && areOneServer(read, primary) ? undefined : 'promoted';
}

function flushedOf({ position, timeline }: ServerStatistics): Flushed | undefined {
  return position === null ? undefined : { position, timeline };
}

/** Measured, whatever the server's label is. */
function roleOf({ inRecovery, readOnly }: ServerStatistics): string {
  if (inRecovery) return 'standby';
  return readOnly ? 'read_only' : 'primary';
}

function putServer(metrics: Metrics, name: string, statistics: ServerStatistics): void {
  metrics.set('messenger_postgres_role', 1, name, roleOf(statistics));
  metrics.set('messenger_postgres_timeline', statistics.timeline, name);
  metrics.set('messenger_postgres_start_time_seconds', statistics.startedSeconds, name);
  metrics.set('messenger_postgres_monitored', statistics.monitored ? 1 : 0, name);
  metrics.set('messenger_postgres_max_connections', statistics.maxConnections, name);
  for (const [state, count] of Object.entries(statistics.connections ?? {}))
    metrics.set('messenger_postgres_connections', count, name, state);
  metrics.set('messenger_postgres_lock_waits', statistics.lockWaits, name);
  metrics.set('messenger_postgres_oldest_transaction_seconds', statistics.oldestTransactionSeconds, name);
  metrics.set('messenger_postgres_commits_total', statistics.commits, name);
  metrics.set('messenger_postgres_rollbacks_total', statistics.rollbacks, name);
  if (statistics.cacheHitRatio !== null)
    metrics.set('messenger_postgres_cache_hit_ratio', statistics.cacheHitRatio, name);
}

function putDeadRows(metrics: Metrics, { deadRows }: ServerStatistics): void {
  for (const [table, count] of Object.entries(deadRows ?? {}))
    metrics.set('messenger_postgres_dead_rows', count, table);
}
