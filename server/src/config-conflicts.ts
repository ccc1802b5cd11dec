import type { Config } from './config.ts';
import type { ValueSources } from './lib/read-options.ts';

/** Settings that are fine alone but not together, a sentence each. */
export function findConflicts(config: Config, sources: ValueSources): string[] {
  return [
    ...findPoolConflicts('writeDb', config, sources),
    ...findPoolConflicts('readDb', config, sources),
    ...findTraceConflicts(config, sources),
    ...findMetricsConflicts(config, sources),
    ...(config.readDb.host !== undefined && config.writeDb.host === undefined
      ? [`${sources['readDb.host']}: a read server needs a write server: DB_WRITE_HOST is not set`]
      : []),
  ];
}

const isSet = (sources: ValueSources, path: string): boolean => sources[path] !== 'default';

function findPoolConflicts(section: 'writeDb' | 'readDb', config: Config, sources: ValueSources): string[] {
  const prefix = section === 'writeDb' ? 'DB_WRITE' : 'DB_READ';
  const { maxIdleConns, maxOpenConns, host, tls, tlsCa } = config[section];
  const needsHost = ['port', 'user', 'password', 'database', 'tls', 'tlsCa'].filter((key) =>
    isSet(sources, `${section}.${key}`),
  );
  const problems = (host === undefined ? needsHost : []).map(
    (key) => `${sources[`${section}.${key}`]}: has no meaning without ${prefix}_HOST, which is not set`,
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
  return (['endpoint', 'tracesEndpoint'] as const)
    .filter((key) => otel[key] !== undefined && !/^https?:$/u.test(URL.parse(otel[key])?.protocol ?? ''))
    .map((key) => `${sources[`otel.${key}`]}: must be the URL of a collector that speaks OTLP over HTTP`);
}

function findMetricsConflicts({ metrics, server }: Config, sources: ValueSources): string[] {
  if (metrics.port === undefined) {
    return isSet(sources, 'metrics.host')
      ? [`${sources['metrics.host']}: has no meaning without METRICS_PORT, which is not set`]
      : [];
  }
  return metrics.port === server.port ? [`${sources['metrics.port']}: ${metrics.port} is the server's own port`] : [];
}
