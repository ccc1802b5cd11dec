/** One metric. Durations are in seconds, sizes in bytes, and names of counters end in `_total`: Prometheus conventions. */
export interface MetricDeclaration {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Of a histogram: ascending upper bounds. One more bucket takes larger values. */
  readonly buckets?: readonly number[];
  /** How values of several processes are aggregated; default: sum. */
  readonly across?: 'sum' | 'max';
}

const durationBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const sizeBuckets = [1, 2, 4, 8, 16, 32, 64, 128];

/**
 * All metrics: the source of `/metrics` and docs/metrics.md. Labels have few values, all known to the code or the schema,
 * never values that users typed.
 */
export const metricTable = {
  messenger_build_info: {
    kind: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels are the running versions',
  },
  messenger_start_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'When the supervisor started, in seconds since 1970',
  },
  messenger_workers: {
    kind: 'gauge',
    labels: ['state'],
    help: 'Workers by state: `serving`; `silent` did not answer the request for their metrics, and their gauges are omitted; `missing` are starting or waiting to restart',
  },
  messenger_workers_accepting: {
    kind: 'gauge',
    labels: [],
    help: 'Workers that accept connections: as many as the load needs. The others are ready to',
  },
  messenger_worker_restarts_total: {
    kind: 'counter',
    labels: [],
    help: 'Workers that ended while the server was serving, and were replaced',
  },
  messenger_http_requests_total: {
    kind: 'counter',
    labels: ['method', 'route', 'status'],
    help: 'Completed requests by route pattern and status class. Route `none`: unknown paths, and requests refused before routing. A client that disconnected counts as 4xx',
  },
  messenger_http_request_duration_seconds: {
    kind: 'histogram',
    labels: ['method', 'route', 'status'],
    buckets: durationBuckets,
    help: 'Time from the request headers to the last byte of the answer',
  },
  messenger_http_requests_in_flight: { kind: 'gauge', labels: [], help: 'Requests in flight' },
  messenger_http_requests_refused_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Problem answers by code; `overloaded` were refused early to protect the others. Invalid HTTP counts only here',
  },
  messenger_http_connections: {
    kind: 'gauge',
    labels: ['state'],
    help: 'Client connections: `active` have a request in flight, `idle` wait for the next, `silent` have not sent a complete request yet, `upgraded` are sockets',
  },
  messenger_http_max_connections: {
    kind: 'gauge',
    labels: [],
    help: 'Maximum client connections: MAX_CONNECTIONS, reduced to fit the limit of open files',
  },
  messenger_http_connections_shed_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Client connections closed because a limit was reached. For a new connection: `silent`, `idle`, and slow senders of a body (`slow_body`). New ones: all others were active (`full`), the address had too many (`address_limit`), or the system had no descriptor (`accept_failed`)',
  },
  messenger_db_connections: {
    kind: 'gauge',
    labels: ['pool', 'state'],
    help: 'Database connections of the workers: `open` (all) and `idle` (unused)',
  },
  messenger_db_waiting: {
    kind: 'gauge',
    labels: ['pool'],
    help: 'Statements waiting for a connection, and calls waiting for a batch',
  },
  messenger_db_waits_total: {
    kind: 'counter',
    labels: ['pool'],
    help: 'Statements that had to wait for a connection',
  },
  messenger_db_wait_seconds_total: { kind: 'counter', labels: ['pool'], help: 'Total wait of these statements' },
  messenger_db_statement_duration_seconds: {
    kind: 'histogram',
    labels: ['pool', 'statement'],
    buckets: durationBuckets,
    help: 'Time from sending a statement to its result, by name; includes earlier statements of the same round trip',
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
    help: 'Calls per statement',
  },
  messenger_db_batch_wait_seconds: {
    kind: 'histogram',
    labels: ['pool', 'batch'],
    buckets: durationBuckets,
    help: 'Wait of the first call of a batch until the batch was sent',
  },
  messenger_reads_total: {
    kind: 'counter',
    labels: ['answered_by'],
    help: 'Reads by server and reason: the standby at once or after a wait; the primary because no standby was usable, the standby was behind the token, or a row missing there might be new',
  },
  messenger_event_loop_delay_seconds: {
    kind: 'gauge',
    labels: ['percentile'],
    across: 'max',
    help: 'Event-loop delay since the last collection; percentile 100 is the longest',
  },
  messenger_process_memory_bytes: {
    kind: 'gauge',
    labels: ['process', 'kind'],
    help: 'Memory by process; `worker` is the sum of all workers, also without prefork',
  },
  messenger_process_open_files: {
    kind: 'gauge',
    labels: ['process'],
    across: 'max',
    help: 'Open file descriptors, sockets included',
  },
  messenger_process_max_open_files: {
    kind: 'gauge',
    labels: ['process'],
    across: 'max',
    help: 'Limit of open file descriptors (`ulimit -n`); absent when unlimited',
  },
  messenger_machine_memory_bytes: {
    kind: 'gauge',
    labels: ['kind'],
    help: 'Memory of the machine, or of the container if limited: `total` and `available`',
  },
  messenger_machine_cpu_seconds_total: {
    kind: 'counter',
    labels: ['mode'],
    help: 'CPU time of all cores of the machine, other programs included: `busy` and `idle`',
  },
  messenger_process_cpu_seconds_total: { kind: 'counter', labels: ['process'], help: 'CPU time of the processes' },
  messenger_embedded_fault: {
    kind: 'gauge',
    labels: ['server', 'reason'],
    help: '1 while an embedded database is down, or the standby cannot write WAL; restarts continue. `disk_full`, `read_only`, `no_permission`, `io_error` and `folder_missing` concern its folder; `crash` is any other cause',
  },
  messenger_embedded_disk_free_bytes: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Free space of the file system of an embedded database, without the part reserved for root',
  },
  messenger_embedded_disk_size_bytes: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Size of that file system',
  },
  messenger_backup_last_success_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Time of the newest backup in BACKUP_DIR, in seconds since 1970; 0 without one',
  },
  messenger_backup_last_failure_time_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Time of the last failed backup to BACKUP_DIR, in seconds since 1970; 0 without one',
  },
  messenger_backup_max_age_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Maximum age of the newest backup: BACKUP_MAX_AGE_HOURS',
  },
  messenger_sockets: {
    kind: 'gauge',
    labels: ['state'],
    help: 'Open sockets: `open` (all), and `behind`, whose clients have 256 KiB unread and get no changes until they have read them',
  },
  messenger_socket_frames_total: {
    kind: 'counter',
    labels: ['direction'],
    help: 'Frames of sockets: `in` from clients, pings included, and `out` to them',
  },
  messenger_socket_bytes_total: {
    kind: 'counter',
    labels: ['direction'],
    help: 'Their bytes: `in` without frame headers, `out` with them',
  },
  messenger_socket_behind_total: {
    kind: 'counter',
    labels: [],
    help: 'How often a client fell behind with reading (a slow reader)',
  },
  messenger_socket_slow_downs_total: {
    kind: 'counter',
    labels: [],
    help: 'How often a client that sent too many frames was asked to slow down',
  },
  messenger_sockets_closed_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Closed sockets: by the server, with the name of the close code; by the client (`client`); without a close frame (`lost`); after a violation of the WebSocket protocol or of the limits of a frame (`protocol`)',
  },
  messenger_sync_frames_total: {
    kind: 'counter',
    labels: ['op'],
    help: 'Frames of clients by `op`; `unknown` for others, which end the socket',
  },
  messenger_sync_deliveries_total: {
    kind: 'counter',
    labels: [],
    help: 'Changes and heads of conversations that were sent to sockets as they happened',
  },
  messenger_sync_delivery_seconds: {
    kind: 'histogram',
    labels: [],
    buckets: durationBuckets,
    help: 'From a commit to its frames, by the clocks of the primary and of this machine; once per commit and worker',
  },
  messenger_sync_repeats_total: { kind: 'counter', labels: [], help: 'Sends by sockets that were stored before' },
  messenger_sync_catch_ups_total: {
    kind: 'counter',
    labels: [],
    help: 'How often a socket that was behind was told from the database',
  },
  messenger_sync_gaps_total: {
    kind: 'counter',
    labels: [],
    help: 'How often a worker read everything that its sockets follow, because the feed had a gap',
  },
  messenger_sync_heals_total: {
    kind: 'counter',
    labels: [],
    help: 'Reads of a conversation for all its sockets: after a gap, or because the log lacked a large value',
  },
  messenger_sync_lost_changes_total: {
    kind: 'counter',
    labels: [],
    help: 'Conversations whose clients hold changes that the database does not have. Above 0 only after a failover to an asynchronous standby',
  },
  messenger_feed_live: {
    kind: 'gauge',
    labels: [],
    help: 'Whether the feed follows the log of the primary: 1 or 0. Missing with `REALTIME=off`, and while the feed restarts',
  },
  messenger_feed_lag_bytes: {
    kind: 'gauge',
    labels: [],
    help: 'WAL of the primary that the feed has not handed on yet, or skipped',
  },
  messenger_feed_lag_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Time of the last commit from the primary to the workers',
  },
  messenger_feed_commits_total: {
    kind: 'counter',
    labels: [],
    help: 'Transactions with published rows that the feed has decoded',
  },
  messenger_feed_rows_total: { kind: 'counter', labels: [], help: 'Rows in those transactions' },
  messenger_feed_messages_total: { kind: 'counter', labels: [], help: 'Ephemeral messages in the log' },
  messenger_feed_gaps_total: {
    kind: 'counter',
    labels: ['cause'],
    help: 'How often workers had to read what they follow from the database: `log` the feed connected anew, `worker` a worker read too slowly, `size` a transaction was too large',
  },
  messenger_feed_workers: { kind: 'gauge', labels: [], help: 'Workers that are connected to the feed' },
  messenger_feed_keys: {
    kind: 'gauge',
    labels: [],
    help: 'Conversations, users and other keys that workers follow',
  },
  messenger_feed_restarts_total: {
    kind: 'counter',
    labels: [],
    help: 'Feed processes that ended while the server was serving, and were replaced',
  },
  messenger_postgres_up: {
    kind: 'gauge',
    labels: ['server'],
    help: '1 when the server answered within a second; else 0, and its other metrics are omitted',
  },
  messenger_postgres_role: {
    kind: 'gauge',
    labels: ['server', 'role'],
    help: '1 for the measured role: `primary` is writable, `standby` is in recovery, `read_only` is not in recovery and refuses writes',
  },
  messenger_postgres_timeline: {
    kind: 'gauge',
    labels: ['server'],
    help: 'WAL timeline; each promotion starts a new one',
  },
  messenger_postgres_start_time_seconds: {
    kind: 'gauge',
    labels: ['server'],
    help: "Time of the server's start or last crash recovery, in seconds since 1970 by its own clock",
  },
  messenger_postgres_monitored: {
    kind: 'gauge',
    labels: ['server'],
    help: '1 when our role can see the sessions of all roles (`pg_monitor`). With 0, connections, lock waits and oldest transaction cover only our role, and the replication state is hidden',
  },
  messenger_postgres_connections: {
    kind: 'gauge',
    labels: ['server', 'state'],
    help: 'Client sessions of the server by state',
  },
  messenger_postgres_max_connections: {
    kind: 'gauge',
    labels: ['server'],
    help: '`max_connections` of the server',
  },
  messenger_postgres_lock_waits: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Sessions waiting for a lock',
  },
  messenger_postgres_cache_hit_ratio: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Fraction of blocks found in shared buffers since the statistics reset; 0 to 1',
  },
  messenger_postgres_commits_total: { kind: 'counter', labels: ['server'], help: 'Committed transactions' },
  messenger_postgres_rollbacks_total: {
    kind: 'counter',
    labels: ['server'],
    help: 'Rolled-back transactions',
  },
  messenger_postgres_oldest_transaction_seconds: {
    kind: 'gauge',
    labels: ['server'],
    help: 'Age of the oldest open transaction; it holds back vacuum',
  },
  messenger_postgres_dead_rows: {
    kind: 'gauge',
    labels: ['table'],
    help: 'Dead rows on the primary by table of our schema, estimated by PostgreSQL',
  },
  messenger_postgres_replication_state: {
    kind: 'gauge',
    labels: ['standby', 'state'],
    help: "1 for the state of the standby's WAL receiver; `none` without one, `hidden` without `pg_monitor`, `promoted` when the server is writable, `foreign` when it belongs to another cluster. The last two have no lag and get no reads",
  },
  messenger_postgres_replication_lag_bytes: {
    kind: 'gauge',
    labels: ['standby'],
    help: 'WAL flushed on the primary and not yet replayed by the standby',
  },
  messenger_postgres_replication_lag_seconds: {
    kind: 'gauge',
    labels: ['standby'],
    help: "Age of the oldest WAL that the standby has not replayed, by this server's clock, which samples the primary's position twice a second. 0 when everything is replayed; at most one hour, or the uptime of this server",
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

export type MetricName = keyof typeof metricTable;

export function declarationOf(name: MetricName): MetricDeclaration {
  return metricTable[name];
}
