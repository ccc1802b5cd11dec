import { isIP } from 'node:net';

import { optionTable, type Config, type LoadedConfig } from './config.ts';
import { listOptions, variablesOf } from './lib/options.ts';
import { readOptions, type OptionSources, type ValueSources } from './lib/read-options.ts';

/** An unusable configuration. Every line of the message is a problem and names its source. */
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

/** Values that are valid alone but not together, or that could have no effect; a sentence each. */
function findConflicts(config: Config, sources: ValueSources): string[] {
  return [
    ...findPoolConflicts('writeDb', config, sources),
    ...findPoolConflicts('readDb', config, sources),
    ...findTraceConflicts(config, sources),
    ...findMetricsConflicts(config, sources),
    ...findTokenProblems(config, sources),
    ...findHostConflicts('writeDb', config, sources),
    ...findHostConflicts('readDb', config, sources),
    ...findDurabilityConflicts(config, sources),
    ...findOriginProblems(config, sources),
    ...findProxyProblems(config, sources),
  ];
}

function findDurabilityConflicts({ db, embedded, writeDb, readDb }: Config, sources: ValueSources): string[] {
  if (db.durability === 'disk') return [];
  const source = sources['db.durability'];
  return [
    ...(embedded.synchronousCommit === 'off'
      ? [`${source}: standby requires synchronous commits, but ${sources['embedded.synchronousCommit']} is off`]
      : []),
    ...(writeDb.host?.length === 1 && readDb.host === undefined
      ? [`${source}: standby requires a standby, but neither DB_READ_HOST nor a second DB_WRITE_HOST is set`]
      : []),
  ];
}

const isSet = (sources: ValueSources, path: string): boolean => sources[path] !== 'default';

function findPoolConflicts(section: 'writeDb' | 'readDb', config: Config, sources: ValueSources): string[] {
  const prefix = section === 'writeDb' ? 'DB_WRITE' : 'DB_READ';
  const { maxIdleConns, maxOpenConns, tls, tlsCa } = config[section];
  const needsHost = ['port', 'user', 'password', 'database', 'tls', 'tlsCa'].filter((key) =>
    isSet(sources, `${section}.${key}`),
  );
  const problems = (isSet(sources, `${section}.host`) ? [] : needsHost).map(
    (key) => `${sources[`${section}.${key}`]}: has no effect without ${prefix}_HOST, which is not set`,
  );
  if (maxIdleConns > maxOpenConns && isSet(sources, `${section}.maxIdleConns`)) {
    const source = sources[`${section}.maxIdleConns`];
    problems.push(`${source}: ${maxIdleConns} idle connections are more than the ${maxOpenConns} open ones`);
  }
  if (tlsCa !== undefined && tls !== 'verify-full') {
    problems.push(`${sources[`${section}.tlsCa`]}: is used only when ${prefix}_TLS is verify-full`);
  }
  return problems;
}

function findTraceConflicts({ otel }: Config, sources: ValueSources): string[] {
  return (['endpoint', 'tracesEndpoint'] as const).flatMap((key) => {
    const url = URL.parse(otel[key] ?? 'http://unset');
    const source = sources[`otel.${key}`];
    if (url === null || !/^https?:$/u.test(url.protocol))
      return [`${source}: must be the URL of an OTLP/HTTP collector`];
    if (url.username + url.password === '') return [];
    return [`${source}: must not contain a password; set it in OTEL_EXPORTER_OTLP_HEADERS`];
  });
}

/** As browsers send it: lower case, no path, no trailing slash. Apps have their own schemes. */
const originPattern = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#A-Z]+$/u;

/** An origin that no browser sends would never match. */
function findOriginProblems({ server: { corsOrigins } }: Config, sources: ValueSources): string[] {
  return corsOrigins
    .filter((origin) => origin !== '*' && !originPattern.test(origin))
    .map(
      (origin) =>
        `${sources['server.corsOrigins']}: ${origin} is not an origin such as https://app.example or http://localhost:3000, or *`,
    );
}

function findProxyProblems({ server: { trustedProxies } }: Config, sources: ValueSources): string[] {
  return trustedProxies
    .filter((proxy) => !isNetwork(proxy))
    .map((proxy) => `${sources['server.trustedProxies']}: ${proxy} is not an address or a subnet such as 10.0.0.0/8`);
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/u.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

/** A header can carry it as one word, and it is long enough. */
const sendableToken = /^[!-~]{16,1024}$/u;

function findTokenProblems({ metrics: { token } }: Config, sources: ValueSources): string[] {
  if (token === undefined || sendableToken.test(token)) return [];
  return [
    `${sources['metrics.token']}: must be 16 to 1024 ASCII letters, digits and symbols, without spaces; \`openssl rand -hex 24\` makes one`,
  ];
}

function findMetricsConflicts({ metrics, server }: Config, sources: ValueSources): string[] {
  if (metrics.port === undefined) {
    return isSet(sources, 'metrics.host')
      ? [`${sources['metrics.host']}: has no effect without METRICS_PORT, which is not set`]
      : [];
  }
  return metrics.port === server.port ? [`${sources['metrics.port']}: ${metrics.port} is the server's own port`] : [];
}

/** A list of hosts needs one port for all, or one each, as in libpq. */
function findHostConflicts(section: 'writeDb' | 'readDb', config: Config, sources: ValueSources): string[] {
  const { host: hosts, port } = config[section];
  if (hosts === undefined) return [];
  const [source, prefix] = [sources[`${section}.host`], section === 'writeDb' ? 'DB_WRITE' : 'DB_READ'];
  const problems = hosts
    .filter((host) => !host.startsWith('/') && isIP(host) === 0 && /[:[\]]/u.test(host))
    .map((host) => `${source}: ${host} is not a host; ports belong in ${prefix}_PORT, one for all or one for each`);
  if (config.writeDb.host === undefined)
    problems.unshift(`${source}: a read server needs a write server: DB_WRITE_HOST is not set`);
  if (port.length > 1 && port.length !== hosts.length) {
    const counts = `${port.length} ports do not match ${hosts.length} host${hosts.length === 1 ? '' : 's'}`;
    return [...problems, `${sources[`${section}.port`]}: ${counts}; give one for all, or one for each`];
  }
  const places = hosts.map((host, index) => `${host} with port ${port[index] ?? port[0]}`);
  const twice = new Set(places.filter((place, index) => places.indexOf(place) < index));
  return [...problems, ...[...twice].map((place) => `${source}: ${place} is listed more than once`)];
}

/** Options of earlier versions. */
const renamed: Readonly<Record<string, string>> = {
  MESSENGER_DB_USER: 'is now MESSENGER_USER, and the server runs as that user, too',
};

/** A misspelt variable with one of our prefixes must not be ignored. */
function findUnknownVariables(env: OptionSources['env']): string[] {
  const known = new Set(listOptions(optionTable).flatMap(({ option }) => variablesOf(option)));
  return Object.keys(env)
    .filter((name) => /^(?:DB_WRITE|DB_READ|MESSENGER)_/u.test(name) && !known.has(name) && name !== 'MESSENGER_CONFIG')
    .map((name) => `${name}: ${renamed[name] ?? 'there is no such option'}`);
}
