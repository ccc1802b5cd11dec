import { once } from 'node:events';
import { resolve } from 'node:path';

import { describeOpenness, opennessOf } from '../account-options.ts';
import type { LoadedConfig } from '../config.ts';
import { placeOf } from '../db/endpoint.ts';
import { findExposure } from '../doctor/exposure.ts';
import { leaveRoot } from '../leave-root.ts';
import { monotonicClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { openFilesLimit } from '../process/open-files-limit.ts';
import { startServices, stopServices } from '../process/service-group.ts';
import { runFolderOf } from '../run-folder.ts';
import { createSupervisor, type Summary } from '../supervise.ts';
import { createLog, isPretty } from '../telemetry/log.ts';
import { exitCodes, type Io } from './io.ts';
import { ReloadLoop } from './reloads.ts';

/** Ctrl-C in a terminal reaches every process of the group, and npm forwards its own copy: two signals within this time are one. */
const sameSignalMs = 300;

/**
 * `messenger start`: serves until a signal or a fatal failure. `load` reads the configuration, at the start and at each reload.
 * Resolves with the exit code.
 */
export async function start(load: () => LoadedConfig, io: Io): Promise<number> {
  const loaded = load();
  const { level, format } = loaded.config.log;
  const pretty = isPretty(format, io.errIsTerminal);
  const log = createLog({ level, name: 'supervisor', pretty });
  const { startTimeoutMs, shutdownTimeoutMs, drainDelayMs } = loaded.config.server;
  const group = { startTimeoutMs, stopTimeoutMs: shutdownTimeoutMs + drainDelayMs, log };
  const stopping = new AbortController();
  const atOnce = new AbortController();
  let exitCode: number = exitCodes.ok;

  onSignals(io, (name, isFirst) => {
    log.info(isFirst ? `${name}: stopping; once more stops at once` : `${name}: stopping at once`);
    (isFirst ? stopping : atOnce).abort(new OperatorError(`The server was stopped by ${name}.`));
  });
  const { services, summary, reload, record } = createSupervisor(loaded, {
    log,
    workerLog: (worker) => createLog({ level, name: `worker ${worker}`, pretty }),
    feedLog: createLog({ level, name: 'feed', pretty }),
    clock: monotonicClock,
    wallMs: Date.now,
    random: Math.random,
    onFatal: (reason) => {
      log.fatal({ reason }, 'the server stops: a service has failed');
      exitCode = exitCodes.defect;
      stopping.abort(new Error(reason));
    },
    exec: io.exec,
    version: io.version,
  });

  const reloads = new ReloadLoop({
    reload: async () => {
      const next = load();
      const changed = await reload(next, stopping.signal);
      log.level = next.config.log.level;
      return changed;
    },
    folder: runFolderOf(loaded.config),
    record,
    log,
  });
  io.onReload?.(() => reloads.request());

  // Certificates were read as root; nothing needs root from here on.
  await leaveRoot(loaded.config, { exec: io.exec, givesData: true, warn: (text) => log.warn(text) });
  try {
    await startServices(services, group, stopping.signal, atOnce.signal);
  } catch (error) {
    if (stopping.signal.aborted) return exitCode;
    throw error;
  }
  for (const text of findExposure({ ...loaded.config, ...opennessOf(loaded.config) })) log.warn(text);
  await reloads.start();
  io.out(renderSummary(summary(), loaded, io.version));
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
  await stopServices(services, group, atOnce.signal);
  return exitCode;
}

function onSignals(io: Io, listener: (name: string, isFirst: boolean) => void): void {
  let firstMs: number | undefined;
  io.onSignal((name) => {
    const now = monotonicClock.now();
    if (firstMs !== undefined && now - firstMs < sameSignalMs) return;
    listener(name, firstMs === undefined);
    firstMs ??= now;
  });
}

/** Of a page that is listed already. */
function isAsset(route: string): boolean {
  return route.includes(' /ops/') || route.endsWith('.js');
}

function renderSummary(summary: Summary, { config }: LoadedConfig, version: string): string {
  const { urls, opsUrls, workers, routes, endpoints, maxOpen, connectionLimits, embedded, isPrimaryReady } = summary;
  const { total, perAddress } = connectionLimits;
  const ofAddress = perAddress === 0 ? '' : `, ${perAddress.toLocaleString('en')} of one address`;
  const open = openFilesLimit()?.toLocaleString('en') ?? 'unlimited';
  const lines = [
    ...urls.map((url, index) => [index === 0 ? 'URL' : '', url]),
    ...opsUrls.map((url, index) =>
      index === 0 ? ['status', `${url} shows load, databases and events, live`] : ['', url],
    ),
    ['workers', config.server.enablePrefork ? String(workers) : 'none, prefork is off'],
    ...(embedded ? [['data', resolve(config.embedded.dataDir)]] : []),
    [
      'writes',
      isPrimaryReady
        ? `${placeOf(endpoints.write)}, up to ${maxOpen.write} connections a worker`
        : 'none while the primary does not answer',
    ],
    [
      'reads',
      `${endpoints.reads.map(placeOf).join(' ')}, up to ${maxOpen.read} connections a worker${endpoints.reads.length > 1 ? ' to each' : ''}`,
    ],
    [
      'clients',
      `up to ${total.toLocaleString('en')} connections a worker${ofAddress}; the system allows ${open} open files`,
    ],
    ...routes.filter((route) => !isAsset(route)).map((route, index) => [index === 0 ? 'routes' : '', route]),
    ...describeOpenness(config).map((text, index) => [index === 0 ? 'access' : '', text]),
    ['stop', 'Ctrl-C, or SIGTERM; twice stops at once'],
  ];
  return [`Messenger ${version}`, ...lines.map(([name = '', text = '']) => `  ${name.padEnd(8)} ${text}`), ''].join(
    '\n',
  );
}
