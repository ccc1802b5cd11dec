import type { Endpoint } from '../db/endpoint.ts';
import type { PoolServices } from '../db/pool.ts';
import { ServerObserver } from '../db/server-observer.ts';
import type { ServerStatistics } from '../db/server-statistics.ts';
import type { Clock } from '../lib/clock.ts';
import { Metrics, type Snapshot } from './metrics.ts';

/** A server by the name that is its label: `primary` first, then the standbys. Host names are no labels. */
export interface NamedServer {
  readonly name: string;
  readonly endpoint: Endpoint;
}

/** However often one asks, the servers are asked no more often than this. */
const freshMs = 500;

interface Watched {
  readonly name: string;
  readonly observer: ServerObserver;
  /** When it had last replayed everything, by our clock. */
  caughtUpMs: number;
}

/** PostgreSQL's own numbers, of all servers; asked by one process, for all. */
export class PostgresMetrics {
  readonly #servers: readonly Watched[];
  readonly #clock: Clock;
  #newest: { readonly atMs: number; readonly snapshot: Promise<Snapshot> } | undefined;

  constructor(servers: readonly NamedServer[], services: PoolServices) {
    this.#clock = services.clock;
    this.#servers = servers.map(({ name, endpoint }) => ({
      name,
      observer: new ServerObserver(endpoint, services),
      caughtUpMs: Number.NEGATIVE_INFINITY,
    }));
  }

  /** At most half a second old; never rejects, and takes a second at most. */
  async read(): Promise<Snapshot> {
    const now = this.#clock.now();
    if (this.#newest === undefined || now - this.#newest.atMs >= freshMs)
      this.#newest = { atMs: now, snapshot: this.#ask() };
    return await this.#newest.snapshot;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(async ({ observer }) => observer.close()));
  }

  async #ask(): Promise<Snapshot> {
    const metrics = new Metrics();
    const answers = await Promise.all(
      this.#servers.map(async (server) => ({ server, statistics: await server.observer.ask() })),
    );
    const primary = answers[0]?.statistics;
    for (const { server, statistics } of answers) {
      metrics.set('messenger_postgres_up', statistics === undefined ? 0 : 1, server.name);
      if (statistics === undefined) continue;
      putServer(metrics, server.name, statistics);
      if (statistics.inRecovery) this.#putReplication(metrics, server, statistics, primary);
      else putDeadRows(metrics, statistics);
    }
    return metrics.snapshot();
  }

  #putReplication(
    metrics: Metrics,
    server: Watched,
    { receiver, position, newestCommitSeconds }: ServerStatistics,
    primary: ServerStatistics | undefined,
  ): void {
    metrics.set('messenger_postgres_replication_state', 1, server.name, receiver);
    if (position === null || typeof primary?.position !== 'number') return;
    const now = this.#clock.now();
    const bytes = Math.max(0, primary.position - position);
    if (bytes === 0) server.caughtUpMs = now;
    // The age of its newest commit is no lag after a quiet hour, when one commit is just on its way. It cannot be behind for
    // longer than since it was seen to have everything.
    const seconds = Math.min(newestCommitSeconds ?? Number.POSITIVE_INFINITY, (now - server.caughtUpMs) / 1_000);
    metrics.set('messenger_postgres_replication_lag_bytes', bytes, server.name);
    if (Number.isFinite(seconds)) metrics.set('messenger_postgres_replication_lag_seconds', seconds, server.name);
  }
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
