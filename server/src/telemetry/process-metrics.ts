import { monitorEventLoopDelay } from 'node:perf_hooks';

import { OpenFilesCount } from '../process/open-files.ts';
import type { MetricName } from './metric-table.ts';
import type { Metrics } from './metrics.ts';

/** Its label. */
type ProcessKind = 'worker' | 'supervisor' | 'feed';

/** Sampling interval of the event-loop delay. */
const resolutionMs = 20;

/**
 * Sets memory, CPU time and open files of this process. A metric is missing when the system refuses it, such as memory when no
 * file can be opened.
 */
export function readProcess(metrics: Metrics, kind: ProcessKind): void {
  readOrClear(metrics, 'messenger_process_memory_bytes', () => {
    const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
    for (const [name, bytes] of Object.entries({ rss, heap_total: heapTotal, heap_used: heapUsed, external }))
      metrics.set('messenger_process_memory_bytes', bytes, kind, name);
  });
  readOrClear(metrics, 'messenger_process_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage();
    metrics.set('messenger_process_cpu_seconds_total', (user + system) / 1_000_000, kind);
  });
  readOrClear(metrics, 'messenger_process_open_files', () => {
    openFilesCount ??= new OpenFilesCount();
    const { open, limit } = openFilesCount.read();
    if (open !== undefined) metrics.set('messenger_process_open_files', open, kind);
    if (limit !== undefined) metrics.set('messenger_process_max_open_files', limit, kind);
  });
}

/** Of this process. */
let openFilesCount: OpenFilesCount | undefined;

/** Node's process statistics throw when the system refuses access. */
function readOrClear(metrics: Metrics, name: MetricName, read: () => void): void {
  try {
    read();
  } catch {
    metrics.clear(name);
  }
}

export interface ProcessWatch {
  /** Adds the event-loop delays since the previous call. */
  read(): void;
  stop(): void;
}

/** Measures this process's event-loop delay. */
export function watchProcess(metrics: Metrics): ProcessWatch {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  return {
    read: () => {
      for (const percentile of [50, 99, 100]) {
        const delay = delays.count === 0 ? 0 : delays.percentile(percentile) / 1e9 - resolutionMs / 1_000;
        metrics.set('messenger_event_loop_delay_seconds', Math.max(0, delay), String(percentile));
      }
      delays.reset();
    },
    stop: () => delays.disable(),
  };
}
