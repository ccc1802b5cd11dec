import type { Endpoint } from '../db/endpoint.ts';
import { areOneServer } from '../db/identity.ts';
import type { PoolServices } from '../db/pool.ts';
import { ServerObserver } from '../db/server-observer.ts';
import type { ServerStatistics } from '../db/server-statistics.ts';
import type { Clock } from '../lib/clock.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { ReplicationLag } from './replication-lag.ts';

/** A server by the name that is its label: `primary` first, then the standbys. Host names are no labels. */
export interface NamedServer {
  readonly name: string;
  readonly endpoint: Endpoint;
}

interface Watched {
  readonly name: string;
  readonly observer: ServerObserver;
}

/** However often one asks, the servers are asked no more often than this. The primary's position is asked as often by itself. */
const freshMs = 500;

/** PostgreSQL's own numbers, of all servers; asked by one process, for all. */
export class PostgresMetrics {
  readonly #servers: readonly Watched[];
  readonly #clock: Clock;
  readonly #lag: ReplicationLag;
  #newest: { readonly atMs: number; readonly snapshot: Promise<Snapshot> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isSampling = false;

  constructor(servers: readonly NamedServer[], services: PoolServices) {
    this.#clock = services.clock;
    this.#lag = new ReplicationLag(services.clock);
    this.#servers = servers.map(({ name, endpoint }) => ({ name, observer: new ServerObserver(endpoint, services) }));
  }

  /** From now on it is known when the primary was where, however rarely somebody asks. */
  start(): void {
    if (this.#servers.length > 1) this.#timer = setInterval(() => void this.#samplePrimary(), freshMs).unref();
  }

  /** At most half a second old; never rejects, and takes a second at most. */
  async read(): Promise<Snapshot> {
    const now = this.#clock.now();
    if (this.#newest === undefined || now - this.#newest.atMs >= freshMs)
      this.#newest = { atMs: now, snapshot: this.#ask() };
    return await this.#newest.snapshot;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#servers.map(async ({ observer }) => observer.close()));
  }

  async #samplePrimary(): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    this.#lag.note(await this.#servers[0]?.observer.askFlushed());
    this.#isSampling = false;
  }

  async #ask(): Promise<Snapshot> {
    const metrics = new Metrics();
    const [primary, ...standbys] = await Promise.all(
      this.#servers.map(async ({ name, observer }, index) => {
        const statistics = await observer.ask();
        // Here, and not when all have answered: by then, a newer sample may have come.
        if (index === 0 && statistics?.inRecovery === false) this.#lag.note(statistics.position ?? undefined);
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

/** Undefined of the primary under a second name. Without a primary, a server that takes writes is taken for a promoted one. */
function replicationState(read: ServerStatistics, primary: ServerStatistics | undefined): string | undefined {
  if (primary !== undefined && read.systemIdentifier !== primary.systemIdentifier) return 'foreign';
  if (read.inRecovery) return read.receiver;
  return primary !== undefined && areOneServer(read, primary) ? undefined : 'promoted';
}

function putServer(metrics: Metrics, name: string, statistics: ServerStatistics): void {
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
