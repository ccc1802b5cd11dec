import type { Collection, ObservedWorker } from './collection.ts';
import { metricTable, type MetricName } from './metric-table.ts';
import type { Series, Snapshot } from './metrics.ts';
import type { SlowStatement } from './slow-statements.ts';

/** A sample for `/ops`: the parts of a collection that the page shows. Durations in seconds. */
export interface LiveSample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly version: string;
  readonly startedAtMs: number;
  readonly http: {
    /** Completed API requests in total, by status class (`2xx`), including shed ones. */
    readonly ended: Readonly<Record<string, number>>;
    readonly overloaded: number;
    readonly inFlight: number;
    /** API requests by duration in total: `counts[n]` took at most `bounds[n]` seconds; the last count is of longer ones. */
    readonly durations: { readonly bounds: readonly number[]; readonly counts: readonly number[] };
  };
  /** Reads in total, by server. */
  readonly reads: Readonly<Record<string, number>>;
  readonly pools: readonly LivePool[];
  readonly servers: readonly LiveServer[];
  readonly workers: {
    readonly serving: number;
    readonly silent: number;
    readonly missing: number;
    /** In total. */
    readonly restarts: number;
    readonly each: readonly LiveWorker[];
  };
  /** Client connections: open, the limit (0 when unknown), and in total those closed at the limit. */
  readonly clients: { readonly open: number; readonly most: number; readonly shed: number };
  /** Undefined without realtime, and while the feed restarts. */
  readonly feed: LiveFeed | undefined;
  readonly machine: LiveMachine;
  readonly slowStatements: readonly SlowStatement[];
}

interface LiveFeed {
  /** Whether it follows the log of the primary. */
  readonly isLive: boolean;
  readonly lagBytes: number;
  /** Of the last commit. */
  readonly lagSeconds: number;
}

/** Of the machine, or of the container if it has limits. Counters in total; 0 when not available. */
interface LiveMachine {
  readonly totalMemoryBytes: number;
  readonly availableMemoryBytes: number;
  readonly busySeconds: number;
  readonly idleSeconds: number;
  /** Of our Node.js processes, as is `memoryBytes`. */
  readonly ownCpuSeconds: number;
  readonly memoryBytes: number;
  /** Of the worker with the most, and of the supervisor. */
  readonly openFiles: readonly {
    readonly process: string;
    readonly open: number;
    readonly limit: number | undefined;
  }[];
}

interface LivePool {
  readonly name: string;
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
  /** In total. */
  readonly waits: number;
  readonly waitSeconds: number;
}

/** A database server. Its own numbers are missing while it is unavailable. */
export interface LiveServer {
  readonly name: string;
  readonly up: boolean;
  /** Of an embedded server, also while it is unavailable: its fault, and the disk of its data folder. */
  readonly fault?: string | undefined;
  readonly diskFreeBytes?: number | undefined;
  readonly diskSizeBytes?: number | undefined;
  /** As measured: `primary`, `standby` or `read_only`. */
  readonly role?: string | undefined;
  readonly timeline?: number | undefined;
  /** Unix time, by its own clock. */
  readonly startedSeconds?: number | undefined;
  readonly connections?: number | undefined;
  readonly active?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly lockWaits?: number | undefined;
  readonly cacheHitRatio?: number | undefined;
  readonly oldestTransactionSeconds?: number | undefined;
  /** Commits and rollbacks in total. */
  readonly transactions?: number | undefined;
  readonly deadRows?: number | undefined;
  readonly receiver?: string | undefined;
  readonly lagBytes?: number | undefined;
  readonly lagSeconds?: number | undefined;
}

/** Without numbers while it does not answer. */
interface LiveWorker {
  readonly worker: number;
  readonly pid: number;
  readonly inFlight?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly eventLoopDelaySeconds?: number | undefined;
}

/**
 * Requests of API clients: a PromQL pattern for the label `route`. Excludes probes, scrapes and pages, which are all the requests
 * of an idle server.
 */
export const apiRoutes = '/api/.+';

/** Includes requests without a route: unknown paths, and requests shed before routing. */
export const trafficRoutes = `${apiRoutes}|none`;

const durationMetric = 'messenger_http_request_duration_seconds';

const ofApi = new RegExp(`^(?:${apiRoutes})$`, 'u');
const ofTraffic = new RegExp(`^(?:${trafficRoutes})$`, 'u');

/** `route` is the second label of request metrics. */
function onRoutes(routes: RegExp, series: readonly Series[] = []): readonly Series[] {
  // 501 is the answer to unknown methods, not a failure of the server.
  return series.filter(({ labels: [method, route = ''] }) => method !== 'other' && routes.test(route));
}

export function sampleOf({ atMs, metrics, workers, slowStatements }: Collection): LiveSample {
  const { buckets: bounds } = metricTable[durationMetric];
  const sum = (name: MetricName, ...labels: readonly string[]): number => sumOf(matching(metrics, name, labels));
  return {
    atMs,
    version: metrics.messenger_build_info?.[0]?.labels[0] ?? '',
    startedAtMs: sum('messenger_start_time_seconds') * 1_000,
    http: {
      ended: byLabel(2, onRoutes(ofTraffic, metrics.messenger_http_requests_total)),
      overloaded: sum('messenger_http_requests_refused_total', 'overloaded'),
      inFlight: sum('messenger_http_requests_in_flight'),
      durations: { bounds, counts: countsOf(onRoutes(ofApi, metrics[durationMetric]), bounds.length + 1) },
    },
    reads: byLabel(0, metrics.messenger_reads_total),
    pools: ['write', 'read'].map((name) => ({
      name,
      open: sum('messenger_db_connections', name, 'open'),
      idle: sum('messenger_db_connections', name, 'idle'),
      waiting: sum('messenger_db_waiting', name),
      waits: sum('messenger_db_waits_total', name),
      waitSeconds: sum('messenger_db_wait_seconds_total', name),
    })),
    servers: Object.keys(byLabel(0, metrics.messenger_postgres_up)).map((name) => serverOf(metrics, name)),
    workers: {
      serving: sum('messenger_workers', 'serving'),
      silent: sum('messenger_workers', 'silent'),
      missing: sum('messenger_workers', 'missing'),
      restarts: sum('messenger_worker_restarts_total'),
      each: workers.map(workerOf),
    },
    clients: {
      open: sum('messenger_http_connections'),
      most: sum('messenger_http_max_connections'),
      shed: sum('messenger_http_connections_shed_total'),
    },
    feed: metrics.messenger_feed_live && {
      isLive: sum('messenger_feed_live') === 1,
      lagBytes: sum('messenger_feed_lag_bytes'),
      lagSeconds: sum('messenger_feed_lag_seconds'),
    },
    machine: machineOf(metrics),
    slowStatements,
  };
}

function machineOf(metrics: Snapshot): LiveMachine {
  const sum = (name: MetricName, ...labels: readonly string[]): number => sumOf(matching(metrics, name, labels));
  const memory = metrics.messenger_process_memory_bytes ?? [];
  return {
    totalMemoryBytes: sum('messenger_machine_memory_bytes', 'total'),
    availableMemoryBytes: sum('messenger_machine_memory_bytes', 'available'),
    busySeconds: sum('messenger_machine_cpu_seconds_total', 'busy'),
    idleSeconds: sum('messenger_machine_cpu_seconds_total', 'idle'),
    ownCpuSeconds: sum('messenger_process_cpu_seconds_total'),
    memoryBytes: sumOf(memory.filter(({ labels }) => labels[1] === 'rss')),
    openFiles: Object.entries(byLabel(0, metrics.messenger_process_open_files)).map(([process, open]) => {
      const limit = sum('messenger_process_max_open_files', process);
      return { process, open, limit: limit === 0 ? undefined : limit };
    }),
  };
}

function serverOf(metrics: Snapshot, name: string): LiveServer {
  const up = sumOf(matching(metrics, 'messenger_postgres_up', [name])) === 1;
  const value = (metric: MetricName, ...labels: readonly string[]): number | undefined => {
    const series = matching(metrics, metric, [name, ...labels]);
    return series.length === 0 ? undefined : sumOf(series);
  };
  const own = {
    name,
    up,
    fault: matching(metrics, 'messenger_embedded_fault', [name])[0]?.labels[1],
    diskFreeBytes: value('messenger_embedded_disk_free_bytes'),
    diskSizeBytes: value('messenger_embedded_disk_size_bytes'),
  };
  if (!up) return own;
  const deadRows = metrics.messenger_postgres_dead_rows;
  const receiver = matching(metrics, 'messenger_postgres_replication_state', [name])[0]?.labels[1];
  return {
    ...own,
    role: matching(metrics, 'messenger_postgres_role', [name])[0]?.labels[1],
    timeline: value('messenger_postgres_timeline'),
    startedSeconds: value('messenger_postgres_start_time_seconds'),
    connections: value('messenger_postgres_connections'),
    active: value('messenger_postgres_connections', 'active'),
    maxConnections: value('messenger_postgres_max_connections'),
    lockWaits: value('messenger_postgres_lock_waits'),
    cacheHitRatio: value('messenger_postgres_cache_hit_ratio'),
    oldestTransactionSeconds: value('messenger_postgres_oldest_transaction_seconds'),
    transactions: (value('messenger_postgres_commits_total') ?? 0) + (value('messenger_postgres_rollbacks_total') ?? 0),
    deadRows: name === 'primary' && deadRows !== undefined ? sumOf(deadRows) : undefined,
    receiver,
    lagBytes: value('messenger_postgres_replication_lag_bytes'),
    lagSeconds: value('messenger_postgres_replication_lag_seconds'),
  };
}

function workerOf({ worker, pid, metrics }: ObservedWorker): LiveWorker {
  if (metrics === undefined) return { worker, pid };
  return {
    worker,
    pid,
    inFlight: sumOf(matching(metrics, 'messenger_http_requests_in_flight', [])),
    memoryBytes: sumOf(matching(metrics, 'messenger_process_memory_bytes', ['worker', 'rss'])),
    eventLoopDelaySeconds: sumOf(matching(metrics, 'messenger_event_loop_delay_seconds', ['100'])),
  };
}

/** Series whose first labels are these. */
function matching(metrics: Snapshot, name: MetricName, labels: readonly string[]): readonly Series[] {
  return (metrics[name] ?? []).filter((series) => labels.every((label, n) => series.labels[n] === label));
}

/** Of counters or gauges. */
function sumOf(series: readonly Series[]): number {
  return series.reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
}

/** Counters or gauges, by one label. */
function byLabel(position: number, all: readonly Series[] = []): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { labels, values } of all) {
    const label = labels[position] ?? '';
    sums[label] = (sums[label] ?? 0) + (values[0] ?? 0);
  }
  return sums;
}

/** Histograms merged into one, without sums. */
function countsOf(series: readonly Series[], buckets: number): number[] {
  return Array.from({ length: buckets }, (_, n) => series.reduce((sum, { values }) => sum + (values[n] ?? 0), 0));
}
