import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Service } from './service.ts';

export interface GroupOptions {
  /** For each service, to start; then it has failed. */
  readonly startTimeoutMs: number;
  /** For each service, to stop; then it is left behind and the next one is stopped. */
  readonly stopTimeoutMs: number;
  readonly log: Log;
}

/**
 * Starts services one after the other. When one fails, those that had started are stopped again, and this rejects with
 * the reason.
 */
export async function startServices(
  services: readonly Service[],
  options: GroupOptions,
  signal: AbortSignal,
): Promise<void> {
  const touched: Service[] = [];
  try {
    for (const service of services) {
      touched.push(service);
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(options.startTimeoutMs)]);
      await withDeadline(service.start(inTime), options.startTimeoutMs, signal);
      options.log.debug({ service: service.name }, 'started');
    }
  } catch (error) {
    await stopServices(touched, options, new AbortController().signal);
    throw error;
  }
}

/** Stops services in reverse order, each within its time; when the signal aborts, each at once. Never rejects. */
export async function stopServices(
  services: readonly Service[],
  options: GroupOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const service of services.toReversed()) {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(options.stopTimeoutMs)]);
    try {
      await withDeadline(service.stop(inTime), options.stopTimeoutMs + hardStopMs);
      options.log.debug({ service: service.name }, 'stopped');
    } catch (error) {
      options.log.error({ service: service.name, err: error }, 'a service did not stop');
    }
  }
}

/** What a service has after its signal aborted, to end by force. */
const hardStopMs = 5_000;
