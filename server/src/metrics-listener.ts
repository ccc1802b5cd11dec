import type { Config } from './config.ts';
import type { PoolServices } from './db/pool.ts';
import { isLoopback } from './lib/loopback.ts';
import { openFilesLimit } from './process/open-files-limit.ts';
import { findPort } from './process/port.ts';
import type { Watch } from './telemetry/live.ts';

export interface MetricsListener {
  close(): Promise<void>;
}

export interface MetricsListenerOptions extends PoolServices {
  readonly config: Config;
  readonly watch: Watch;
}

/** For scrapes and open pages. The supervisor needs its files for the workers and the databases. */
const maxConnections = 256;

function operatorConnections(openFiles = Number.POSITIVE_INFINITY): number {
  return Math.min(maxConnections, Math.max(1, Math.floor(openFiles / 4)));
}

/**
 * The operator's own listener, on `METRICS_PORT`; undefined when that is not set. It is in the supervisor, so it
 * answers while all workers are busy. Rejects with `OperatorError` when the port is unavailable.
 */
export async function listenForMetrics(options: MetricsListenerOptions): Promise<MetricsListener | undefined> {
  const { port, host, token } = options.config.metrics;
  if (port === undefined) return undefined;
  // Loaded only here: without this port the supervisor needs no HTTP.
  const { createHttpServer } = await import('./http/server.ts');
  const { metricsRoute } = await import('./http/metrics-route.ts');
  const { WrongTokens } = await import('./http/wrong-tokens.ts');
  const { opsRoutes } = await import('./http/ops-routes.ts');
  const { Connections } = await import('./http/connections.ts');
  await findPort(host, port, '--metrics-port');
  let requests = 0;
  const app = await createHttpServer({
    ...options.config.server,
    corsOrigins: [],
    connections: new Connections({ total: operatorConnections(openFilesLimit()), perAddress: 0 }),
    clock: options.clock,
    random: options.random,
    log: options.log,
    newRequestId: () => `metrics-${(requests += 1).toString(36)}`,
  });
  const guard = {
    token,
    isOpen: !isLoopback(host),
    wrongTokens: new WrongTokens({ ...options, tell: options.watch.wrongToken }),
  };
  const forOperator = { ...options.watch, guard };
  metricsRoute(app, forOperator);
  // Closing it ends all connections, so pages need no notice.
  await opsRoutes(app, { ...forOperator, isDraining: () => false });
  await app.listen({ host, port });
  return {
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
