/** One metric. Durations are in seconds and sizes in bytes, as Prometheus wants them; names of counters end in `_total`. */
export interface MetricDeclaration {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Of a histogram: upper bounds, rising. One more bucket takes what is above the last. */
  readonly buckets?: readonly number[];
  /** How the values of several processes become one; default: their sum. */
  readonly across?: 'sum' | 'max';
}

const durationBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const sizeBuckets = [1, 2, 4, 8, 16, 32, 64, 128];

/**
 * Every metric there is. `/metrics` and docs/metrics.md are made from this table. A label has few values, all of them
 * known to the code or the schema; nothing that a user typed is one.
 */
export const metricTable = {
  messenger_build_info: {
    kind: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels tell what is running',
  },
  messenger_start_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'When the supervisor started, in seconds since 1970',
  },
  messenger_workers: {
    kind: 'gauge',
    labels: ['state'],
    help: 'Workers: `serving`; `silent` have not answered the question for their metrics, whose gauges are left out; `missing` are starting, or wait for it',
  },
  messenger_worker_restarts_total: {
    kind: 'counter',
    labels: [],
    help: 'Workers that ended while the server was serving, and were replaced',
  },
  messenger_http_requests_total: {
    kind: 'counter',
    labels: ['method', 'route', 'status'],
    help: 'Requests that have ended, by the pattern of their route and the class of their status. `none` is no route: unknown addresses, and what is refused before its address is looked at. A client that went away is 4xx',
  },
  messenger_http_request_duration_seconds: {
    kind: 'histogram',
    labels: ['method', 'route', 'status'],
    buckets: durationBuckets,
    help: "From a request's headers to the last byte of its answer",
  },
  messenger_http_requests_in_flight: { kind: 'gauge', labels: [], help: 'Requests that have begun and not ended' },
  messenger_http_requests_refused_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Answers that were problems, by their code; `overloaded` are refused early to save the others. Bytes that never became a request count here only',
  },
  messenger_http_connections: {
    kind: 'gauge',
    labels: ['state'],
    help: 'Client connections: `active` have a request in flight, `idle` wait for their next one, `silent` have not sent a whole request yet',
  },
  messenger_http_max_connections: {
    kind: 'gauge',
    labels: [],
    help: 'Client connections that there can be: MAX_CONNECTIONS, cut to what the limit of open files leaves',
  },
  messenger_http_connections_shed_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Client connections that were closed for want of room: `silent` and `idle` ones, and those that send a body slowly (`slow_body`), for a new connection; new ones because all others were active (`full`), because their address had too many (`address_limit`), or because the system had none (`accept_failed`)',
  },
  messenger_db_connections: {
    kind: 'gauge',
    labels: ['pool', 'state'],
    help: 'Connections that workers have: `open` are all of them, `idle` those that nobody uses',
  },
  messenger_db_waiting: {
    kind: 'gauge',
    labels: ['pool'],
    help: 'Statements that wait for a connection, and calls that wait for a place in a statement',
  },
  messenger_db_waits_total: {
    kind: 'counter',
    labels: ['pool'],
    help: 'Statements that found all connections in use',
  },
  messenger_db_wait_seconds_total: { kind: 'counter', labels: ['pool'], help: 'For how long these have waited' },
  messenger_db_statement_duration_seconds: {
    kind: 'histogram',
    labels: ['pool', 'statement'],
    buckets: durationBuckets,
    help: 'From sending a statement to its result, by its name; those that follow another in the same round trip wait for it',
  },
  messenger_db_statement_failures_total: {
    kind: 'counter',
    labels: ['pool', 'statement'],
    help: 'Statements that failed, were cancelled, or lost their connection',
  },
  messenger_db_batch_size: {
    kind: 'histogram',
    labels: ['pool', 'batch'],
    buckets: sizeBuckets,
    help: 'Calls that shared one statement',
  },
  messenger_db_batch_wait_seconds: {
    kind: 'histogram',
    labels: ['pool', 'batch'],
    buckets: durationBuckets,
    help: 'How long the first call of a batch waited until it was sent',
  },
  messenger_reads_total: {
    kind: 'counter',
    labels: ['answered_by'],
    help: 'Reads by who answered, and why: the standby at once, or after a wait for it; the primary because no standby was fit, because it was behind the token, or because what it did not find might be new',
  },
  messenger_event_loop_delay_seconds: {
    kind: 'gauge',
    labels: ['percentile'],
    across: 'max',
    help: 'How late timers fire, since the last collection, of the worker where it is worst; percentile 100 is the longest delay',
  },
  messenger_gc_seconds_total: {
    kind: 'counter',
    labels: ['kind'],
    help: 'For how long garbage collection stopped the workers',
  },
  messenger_gc_runs_total: { kind: 'counter', labels: ['kind'], help: 'Garbage collections of the workers' },
  messenger_process_memory_bytes: {
    kind: 'gauge',
    labels: ['process', 'kind'],
    help: 'Memory of the processes. `worker` is all workers together, also where there is one process only',
  },
  messenger_process_open_files: {
    kind: 'gauge',
    labels: ['process'],
    across: 'max',
    help: 'Files, sockets included, that the process has open',
  },
  messenger_process_max_open_files: {
    kind: 'gauge',
    labels: ['process'],
    across: 'max',
    help: 'Files that the system lets the process open (`ulimit -n`); missing when there is no limit',
  },
  messenger_machine_memory_bytes: {
    kind: 'gauge',
    labels: ['kind'],
    help: 'Memory of this machine, or of the container where that has a limit: `total`, and what is still `available`',
  },
  messenger_machine_cpu_seconds_total: {
    kind: 'counter',
    labels: ['mode'],
    help: 'CPU time of all cores of this machine: `busy` and `idle`, other programs included',
  },
  messenger_process_cpu_seconds_total: { kind: 'counter', labels: ['process'], help: 'CPU time of the processes' },
  messenger_embedded_fault: {
    kind: 'gauge',
    labels: ['server', 'reason'],
    help: '1 while an embedded database is down, or the standby cannot store what the primary sends; it is tried again. `disk_full`, `read_only`, `no_permission`, `io_error` and `folder_missing` are about its folder, `crash` is everything else',
  },
  messenger_embedded_disk_free_bytes: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Free space of the file system with the folder of an embedded database, without what is reserved for root',
  },
  messenger_embedded_disk_size_bytes: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Size of that file system',
  },
  messenger_backup_last_success_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'When the newest backup in BACKUP_DIR was made, in seconds since 1970; 0 when there is none',
  },
  messenger_backup_last_failure_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'When a backup to BACKUP_DIR last failed, in seconds since 1970; 0 when none did',
  },
  messenger_backup_max_age_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'How old the newest backup may become: BACKUP_MAX_AGE_HOURS',
  },
  messenger_postgres_up: {
    kind: 'gauge',
    labels: ['server'],
    help: '1 when the server answered within a second, else 0; then its other metrics are left out',
  },
  messenger_postgres_role: {
    kind: 'gauge',
    labels: ['server', 'role'],
    help: '1 for the measured role of the server: `primary` takes writes, `standby` is in recovery, `read_only` is not in recovery and refuses writes',
  },
  messenger_postgres_timeline: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Timeline of the write-ahead log; each promotion begins a new one',
  },
  messenger_postgres_start_time_seconds: {
    kind: 'gauge',
    labels: ['server'],
    help: 'When the server started, or last recovered from a crash of one of its processes, in seconds since 1970 by its own clock',
  },
  messenger_postgres_monitored: {
    kind: 'gauge',
    labels: ['server'],
    help: '1 when our role may see the sessions of all roles (`pg_monitor`); with 0, connections, lock waits and oldest transaction are those of our own role only, and the state of the replication is hidden',
  },
  messenger_postgres_connections: {
    kind: 'gauge',
    labels: ['server', 'state'],
    help: 'Client sessions of the server by what they are doing',
  },
  messenger_postgres_max_connections: {
    kind: 'gauge',
    labels: ['server'],
    help: '`max_connections` of the server',
  },
  messenger_postgres_lock_waits: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Sessions that wait for a lock',
  },
  messenger_postgres_cache_hit_ratio: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Part of the blocks that were found in shared buffers, since the statistics of the database were reset; 0 to 1',
  },
  messenger_postgres_commits_total: { kind: 'counter', labels: ['server'], help: 'Transactions that were committed' },
  messenger_postgres_rollbacks_total: {
    kind: 'counter',
    labels: ['server'],
    help: 'Transactions that were rolled back',
  },
  messenger_postgres_oldest_transaction_seconds: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Age of the oldest transaction that is open; it keeps dead rows from being removed',
  },
  messenger_postgres_dead_rows: {
    kind: 'gauge',
    labels: ['table'],
    help: 'Rows of the primary that wait for vacuum, by table of our schema; an estimate of PostgreSQL',
  },
  messenger_postgres_replication_state: {
    kind: 'gauge',
    labels: ['standby', 'state'],
    help: '1 for the state in which the standby says its WAL receiver is, `none` without one, `hidden` without `pg_monitor`; `promoted` when it takes writes itself and follows no more, `foreign` when it is of another cluster: neither has a lag, and reads leave both',
  },
  messenger_postgres_replication_lag_bytes: {
    kind: 'gauge',
    labels: ['standby'],
    help: 'Log that is on the disk of the primary and not replayed by the standby',
  },
  messenger_postgres_replication_lag_seconds: {
    kind: 'gauge',
    labels: ['standby'],
    help: 'Age of the oldest log that the standby has not replayed, by the clock of this server alone, which samples the position of the primary twice a second; 0 when it has replayed everything, at most an hour, and never more than since this server started',
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

export type MetricName = keyof typeof metricTable;

export function declarationOf(name: MetricName): MetricDeclaration {
  return metricTable[name];
}
