/** The graphs of the Grafana dashboard: titles, units and queries. */
import { apiRoutes, trafficRoutes } from '../server/src/telemetry/traffic.ts';

export interface Panel {
  readonly title: string;
  /** What is good, for whoever looks at it for the first time. */
  readonly description: string;
  readonly unit: 'reqps' | 'percentunit' | 's' | 'short' | 'bytes' | 'ops';
  /** Legend and PromQL. */
  readonly queries: readonly (readonly [legend: string, expression: string])[];
  /** Draws the sum of the queries. */
  readonly isStacked?: boolean;
}

const traffic = `route=~"${trafficRoutes}"`;
const api = `{route=~"${apiRoutes}"}`;

const rate = (metric: string): string => `rate(${metric}[$__rate_interval])`;

const quantile = (share: number, metric: string, by = '', matching = ''): string =>
  `histogram_quantile(${share}, sum by (le${by}) (${rate(`${metric}_bucket${matching}`)}))`;

const percentiles = (metric: string, matching: string): Panel['queries'] =>
  ([0.5, 0.95, 0.99] as const).map((share) => [`p${share * 100}`, quantile(share, metric, '', matching)]);

/** Row by row, as /ops has them. */
export const rows: Readonly<Record<string, readonly Panel[]>> = {
  Requests: [
    {
      title: 'Request rate',
      description: 'Of the API, by status. 5xx are failures and refusals, 4xx the clients’ own.',
      unit: 'reqps',
      queries: [['{{status}}', `sum by (status) (${rate(`messenger_http_requests_total{${traffic}}`)})`]],
      isStacked: true,
    },
    {
      title: 'Errors',
      description: 'Part of the requests of the API that ended with 5xx. Above 1 % MessengerErrors calls.',
      unit: 'percentunit',
      queries: [
        [
          '5xx',
          `(sum(${rate(`messenger_http_requests_total{${traffic}, status="5xx"}`)}) or vector(0)) / sum(${rate(`messenger_http_requests_total{${traffic}}`)})`,
        ],
      ],
    },
    {
      title: 'Response time',
      description: 'From the headers of a request to the last byte of its answer.',
      unit: 's',
      queries: percentiles('messenger_http_request_duration_seconds', api),
    },
    {
      title: 'In flight',
      description: 'Requests that have begun and not ended. Rises before the response time does.',
      unit: 'short',
      queries: [['in flight', 'sum(messenger_http_requests_in_flight)']],
    },
    {
      title: 'Client connections',
      description: 'By state, and as many as there can be. Above 80 % ClientConnections calls.',
      unit: 'short',
      queries: [
        ['{{state}}', 'sum by (state) (messenger_http_connections)'],
        ['limit', 'sum(messenger_http_max_connections)'],
      ],
    },
    {
      title: 'Connections closed for want of room',
      description: 'By reason. Silent ones make room for new ones; the other reasons cost clients something.',
      unit: 'ops',
      queries: [['{{reason}}', `sum by (reason) (${rate('messenger_http_connections_shed_total')})`]],
    },
    {
      title: 'Refused',
      description: '`overloaded` are refused early to save the others.',
      unit: 'reqps',
      queries: [['{{reason}}', `sum by (reason) (${rate('messenger_http_requests_refused_total')})`]],
    },
    {
      title: 'p99 by route',
      description: 'Which call is slow.',
      unit: 's',
      queries: [
        ['{{method}} {{route}}', quantile(0.99, 'messenger_http_request_duration_seconds', ', method, route', api)],
      ],
    },
    {
      title: 'Probes, scrapes and pages',
      description: 'Requests that are no traffic of the API, and are counted nowhere else here.',
      unit: 'reqps',
      queries: [
        [
          '{{route}} {{status}}',
          `sum by (route, status) (${rate(`messenger_http_requests_total{route!~"${trafficRoutes}"}`)})`,
        ],
      ],
    },
  ],
  'Pools and batches': [
    {
      title: 'Connections',
      description: 'Open, and how many of them nobody uses.',
      unit: 'short',
      queries: [['{{pool}} {{state}}', 'sum by (pool, state) (messenger_db_connections)']],
    },
    {
      title: 'Waiting for a connection',
      description: 'Seconds of waiting per second: how many wait at a time. Above 1 MessengerPoolWaiting calls.',
      unit: 'short',
      queries: [['{{pool}}', `sum by (pool) (${rate('messenger_db_wait_seconds_total')})`]],
    },
    {
      title: 'Calls that wait',
      description:
        'For a connection, or for a place in a statement. Some do under load; many with few requests are a database that is stuck.',
      unit: 'short',
      queries: [['{{pool}}', 'sum by (pool) (messenger_db_waiting)']],
    },
    {
      title: 'Statements that found no connection',
      description: 'All were in use, and they had to wait.',
      unit: 'ops',
      queries: [['{{pool}}', `sum by (pool) (${rate('messenger_db_waits_total')})`]],
    },
    {
      title: 'Statements that failed',
      description: 'Cancelled ones, and those that lost their connection, too.',
      unit: 'ops',
      queries: [
        ['{{pool}} {{statement}}', `sum by (pool, statement) (${rate('messenger_db_statement_failures_total')})`],
      ],
    },
    {
      title: 'Statements, p99',
      description: 'From sending a statement to its result, by its name.',
      unit: 's',
      queries: [
        ['{{pool}} {{statement}}', quantile(0.99, 'messenger_db_statement_duration_seconds', ', pool, statement')],
      ],
    },
    {
      title: 'Calls per statement',
      description: 'The mean size of a batch: 1 when there is little to do, more under load.',
      unit: 'short',
      queries: [
        [
          '{{pool}} {{batch}}',
          `sum by (pool, batch) (${rate('messenger_db_batch_size_sum')}) / sum by (pool, batch) (${rate('messenger_db_batch_size_count')})`,
        ],
      ],
    },
    {
      title: 'Wait for a batch, p99',
      description: 'How long the first call of a batch waited until it was sent.',
      unit: 's',
      queries: [['{{pool}} {{batch}}', quantile(0.99, 'messenger_db_batch_wait_seconds', ', pool, batch')]],
    },
    {
      title: 'Who answers reads',
      description: 'The standby should, but for what clients have just written.',
      unit: 'ops',
      queries: [['{{answered_by}}', `sum by (answered_by) (${rate('messenger_reads_total')})`]],
      isStacked: true,
    },
  ],
  Databases: [
    {
      title: 'Servers that answer',
      description: '1 for each.',
      unit: 'short',
      queries: [['{{instance}} {{server}}', 'min by (instance, server) (messenger_postgres_up)']],
    },
    {
      title: 'Roles',
      description: 'As measured. Above 0 for `primary` with another role than primary, PrimaryReadOnly calls.',
      unit: 'short',
      queries: [['{{instance}} {{server}} {{role}}', 'max by (instance, server, role) (messenger_postgres_role)']],
    },
    {
      title: 'Timeline',
      description: 'A step is a promotion, for which TimelineChanged calls.',
      unit: 'short',
      queries: [['{{instance}} {{server}}', 'max by (instance, server) (messenger_postgres_timeline)']],
    },
    {
      title: 'Database servers up for',
      description: 'Falls to zero with a restart, and with the recovery from a crash.',
      unit: 's',
      queries: [
        ['{{instance}} {{server}}', 'time() - max by (instance, server) (messenger_postgres_start_time_seconds)'],
      ],
    },
    {
      title: 'State of the standbys',
      description:
        '`streaming` is good; `promoted`, `foreign`, `none` and others for long are StandbyAway, which calls.',
      unit: 'short',
      queries: [
        [
          '{{instance}} {{standby}} {{state}}',
          'max by (instance, standby, state) (messenger_postgres_replication_state)',
        ],
      ],
    },
    {
      title: 'Replication lag',
      description: 'Age of the oldest log that the standby lacks. Above 5 s StandbyLag calls, and reads leave it.',
      unit: 's',
      queries: [
        ['{{instance}} {{standby}}', 'max by (instance, standby) (messenger_postgres_replication_lag_seconds)'],
      ],
    },
    {
      title: 'WAL that the standby lacks',
      description:
        'At 1 GB the primary drops it, and the standby has to be made anew. Above 512 MB WalRetention calls.',
      unit: 'bytes',
      queries: [['{{instance}} {{standby}}', 'max by (instance, standby) (messenger_postgres_replication_lag_bytes)']],
    },
    {
      title: 'Sessions',
      description: 'Of the server, by what they are doing.',
      unit: 'short',
      queries: [
        ['{{instance}} {{server}} {{state}}', 'max by (instance, server, state) (messenger_postgres_connections)'],
      ],
    },
    {
      title: 'Sessions of those that there may be',
      description: 'Of max_connections. Above 80 % PostgresConnections calls.',
      unit: 'percentunit',
      queries: [
        [
          '{{instance}} {{server}}',
          'sum by (instance, server) (messenger_postgres_connections) / max by (instance, server) (messenger_postgres_max_connections)',
        ],
      ],
    },
    {
      title: 'Transactions',
      description: 'Commits and rollbacks of the database.',
      unit: 'ops',
      queries: [
        ['{{instance}} {{server}} commits', `max by (instance, server) (${rate('messenger_postgres_commits_total')})`],
        [
          '{{instance}} {{server}} rollbacks',
          `max by (instance, server) (${rate('messenger_postgres_rollbacks_total')})`,
        ],
      ],
    },
    {
      title: 'Cache hit ratio',
      description: 'Below 99 % the server reads its disk too often: more shared_buffers.',
      unit: 'percentunit',
      queries: [['{{instance}} {{server}}', 'min by (instance, server) (messenger_postgres_cache_hit_ratio)']],
    },
    {
      title: 'Waits for locks',
      description: 'Sessions that wait for one.',
      unit: 'short',
      queries: [['{{instance}} {{server}}', 'max by (instance, server) (messenger_postgres_lock_waits)']],
    },
    {
      title: 'Oldest transaction',
      description: 'Vacuum waits for it. Above 5 minutes OldTransaction calls.',
      unit: 's',
      queries: [
        ['{{instance}} {{server}}', 'max by (instance, server) (messenger_postgres_oldest_transaction_seconds)'],
      ],
    },
    {
      title: 'Free disk of the embedded databases',
      description:
        'Part of the file system that is free. Without room for its log, the primary ends until there is some.',
      unit: 'percentunit',
      queries: [
        [
          '{{instance}} {{server}}',
          'max by (instance, server) (messenger_embedded_disk_free_bytes / messenger_embedded_disk_size_bytes)',
        ],
      ],
    },
    {
      title: 'Age of the newest backup',
      description: 'In BACKUP_DIR. Above BACKUP_MAX_AGE_HOURS BackupOld calls.',
      unit: 's',
      queries: [
        ['{{instance}}', 'max by (instance) (time() - (messenger_backup_last_success_time_seconds > 0))'],
        ['{{instance}} at most', 'max by (instance) (messenger_backup_max_age_seconds)'],
      ],
    },
    {
      title: 'Last backup failed',
      description: '1 from a failed backup to the next one that succeeds.',
      unit: 'short',
      queries: [
        [
          '{{instance}}',
          'max by (instance) (messenger_backup_last_failure_time_seconds > bool messenger_backup_last_success_time_seconds)',
        ],
      ],
    },
    {
      title: 'Faults of the embedded databases',
      description: '1 while it lasts; the reason is in the legend.',
      unit: 'short',
      queries: [['{{instance}} {{server}} {{reason}}', 'max by (instance, server, reason) (messenger_embedded_fault)']],
    },
    {
      title: 'Dead rows',
      description: 'That wait for vacuum, by table; an estimate.',
      unit: 'short',
      queries: [['{{instance}} {{table}}', 'max by (instance, table) (messenger_postgres_dead_rows)']],
    },
  ],
  Processes: [
    {
      title: 'Workers',
      description: 'All should be serving.',
      unit: 'short',
      queries: [['{{state}}', 'sum by (state) (messenger_workers)']],
      isStacked: true,
    },
    {
      title: 'Workers that were replaced',
      description: 'In the last quarter of an hour. Above 2 MessengerWorkerRestarts calls.',
      unit: 'short',
      queries: [['{{instance}}', 'sum by (instance) (increase(messenger_worker_restarts_total[15m]))']],
    },
    {
      title: 'Event-loop delay',
      description: 'How late timers fire, in the worst worker. Above some 50 ms a worker has more to do than it can.',
      unit: 's',
      queries: [['p{{percentile}}', 'max by (percentile) (messenger_event_loop_delay_seconds)']],
    },
    {
      title: 'Memory of the workers',
      description: 'Of all workers of an instance together, as the system counts it.',
      unit: 'bytes',
      queries: [['{{instance}}', 'sum by (instance) (messenger_process_memory_bytes{process="worker", kind="rss"})']],
    },
    {
      title: 'CPU of Messenger',
      description: 'Cores in use by its Node.js processes, without embedded databases.',
      unit: 'short',
      queries: [
        ['{{instance}} {{process}}', `sum by (instance, process) (${rate('messenger_process_cpu_seconds_total')})`],
      ],
    },
    {
      title: 'Memory of the machine in use',
      description: 'Or of the container, where it has a limit. Above 90 % MemoryLow calls.',
      unit: 'percentunit',
      queries: [
        [
          '{{instance}}',
          '1 - max by (instance) (messenger_machine_memory_bytes{kind="available"}) / max by (instance) (messenger_machine_memory_bytes{kind="total"})',
        ],
      ],
    },
    {
      title: 'CPU of the machine in use',
      description: 'Of all cores, other programs included.',
      unit: 'percentunit',
      queries: [
        [
          '{{instance}}',
          `sum by (instance) (${rate('messenger_machine_cpu_seconds_total{mode="busy"}')}) / sum by (instance) (${rate('messenger_machine_cpu_seconds_total')})`,
        ],
      ],
    },
    {
      title: 'Open files',
      description: 'Sockets included, of the process that has most, and how many the system allows.',
      unit: 'short',
      queries: [
        ['{{instance}} {{process}}', 'max by (instance, process) (messenger_process_open_files)'],
        ['{{instance}} limit', 'min by (instance) (messenger_process_max_open_files)'],
      ],
    },
    {
      title: 'Version',
      description: 'Which instances run which one.',
      unit: 'short',
      queries: [['{{instance}} {{version}}', 'max by (instance, version) (messenger_build_info)']],
    },
    {
      title: 'Up for',
      description: 'Since the supervisor started.',
      unit: 's',
      queries: [['{{instance}}', 'time() - max by (instance) (messenger_start_time_seconds)']],
    },
  ],
};
