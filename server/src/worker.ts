import { createApp, type App, type AppServices, type AppSettings } from './app.ts';
import { Listeners, type ListenOptions } from './http/listeners.ts';
import type { FromSupervisor, Served } from './process/worker-process.ts';
import type { Measurement } from './telemetry/collection.ts';
import type { Log } from './telemetry/log.ts';
import type { Tracing } from './telemetry/tracing.ts';

/** The settings of a worker; plain data. */
export interface WorkerSettings extends AppSettings {
  readonly listen: ListenOptions;
}

/** The longest wait for the other workers to close their listeners: one of them may be frozen. */
const settleMs = 2_000;
/** How long a silent connection stays open during a drain, for a request that is already on its way. */
const lingerMs = 500;

/**
 * The same when a successor serves. Closing a silent connection can cross a request of its client, which then fails;
 * the longer the silence, the less likely.
 */
const replacedLingerMs = 5_000;

export interface WorkerServices extends AppServices {
  /** Absent without other workers. */
  readonly listenersClosed?: FromSupervisor['listenersClosed'];
}

/** Builds the app, which listens on `accept`. Used by worker processes, and by the main process when prefork is off. */
export async function serve(settings: WorkerSettings, services: WorkerServices): Promise<Served> {
  const tracing = await loadTracing(settings, services.log);
  const app = await createApp(settings, { ...services, tracing });
  const { connections } = app;
  const listeners = new Listeners(app.http.server, () => connections.acceptFailed());
  const { drainDelayMs } = settings.config.server;
  return {
    report: { routes: app.routes },
    measure: () => measure(app, services.log),
    forget: (key) => app.forget(key),
    accept: async (sockets) => {
      connections.areClosing = false;
      await listeners.listen(settings.listen, sockets);
      return sockets.length === 0 && settings.listen.reusePort ? listeners.handles : [];
    },
    rest: () => {
      connections.areClosing = true;
      listeners.close();
    },
    shed: (count) => shed(app, count),
    load: () => ({ connections: connections.open, maxConnections: connections.limits.total }),
    admitWrites: () => app.databases.topology.openForWrites(),
    stop: async (signal, isReplaced) => {
      const times = { delayMs: drainDelayMs, settleMs, lingerMs: isReplaced ? replacedLingerMs : lingerMs };
      const othersClosed = services.listenersClosed ?? (async () => undefined);
      const endUpgraded = (): void => app.sockets?.drain();
      await app.drain.run(app.http, listeners, { ...times, othersClosed, isReplaced, endUpgraded }, signal);
      await app.close();
      await tracing?.close();
    },
  };
}

/** Moves so many connections to other workers: of sockets and others, the same share. */
function shed({ connections, sockets }: App, count: number): void {
  const ofSockets = Math.round((count * connections.counts.upgraded) / Math.max(1, connections.open));
  sockets?.move(ofSockets);
  connections.move(count - ofSockets);
}

/** A defect in the metrics must not end the worker. */
function measure(app: App, log: Log): Measurement | undefined {
  try {
    return app.measure();
  } catch (err) {
    log.error({ err }, 'the metrics of the worker could not be read');
    return undefined;
  }
}

/** Undefined when tracing is off; then its packages are not loaded. */
async function loadTracing(
  { config, version, worker, endpoints }: WorkerSettings,
  log: Log,
): Promise<Tracing | undefined> {
  const { otel } = config;
  const base = otel.endpoint?.replace(/\/$/u, '');
  const url = otel.tracesEndpoint ?? (base === undefined ? undefined : `${base}/v1/traces`);
  if (otel.disabled || url === undefined) return undefined;
  const { startTracing } = await import('./telemetry/tracing.ts');
  const headers = [otel.headers, otel.tracesHeaders].filter((one) => one !== undefined).join(',');
  const databases = { write: endpoints.write.database, read: endpoints.reads[0]?.database ?? endpoints.write.database };
  return startTracing(
    { ...otel, url, headers, serviceVersion: version, ratio: otel.samplerArg, worker, databases },
    log,
  );
}
