import { OperatorError } from '../lib/operator-error.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Service } from './service.ts';

export interface GroupOptions {
  /** Time for each service to start; then it has failed. */
  readonly startTimeoutMs: number;
  /** Time for each service to stop; then the next one is stopped. */
  readonly stopTimeoutMs: number;
  readonly log: Log;
}

/**
 * Starts services one after the other. When one fails, those that had started are stopped, and this rejects with the
 * reason. `atOnce` hurries that stop.
 */
export async function startServices(
  services: readonly Service[],
  options: GroupOptions,
  signal: AbortSignal,
  atOnce: AbortSignal,
): Promise<void> {
  const touched: Service[] = [];
  try {
    for (const service of services) {
      touched.push(service);
      await startOne(service, options.startTimeoutMs, signal);
      options.log.debug({ service: service.name }, 'started');
    }
  } catch (error) {
    await stopServices(touched, options, atOnce);
    throw error;
  }
}

/** At the deadline the service's signal aborts first; then it has a moment to report what it was waiting for. */
async function startOne(service: Service, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const time = AbortSignal.timeout(timeoutMs);
  try {
    await withDeadline(service.start(AbortSignal.any([signal, time])), timeoutMs + lastWordsMs, signal);
  } catch (error) {
    if (!time.aborted || signal.aborted || error instanceof OperatorError) throw error;
    throw new OperatorError(`The service "${service.name}" did not start within ${timeoutMs} ms.`, { cause: error });
  }
}

/** Stops services in reverse order, each within its time; once the signal aborts, each at once. Never rejects. */
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

/** Grace time after a service's signal aborted: to report why it did not start, or to end by force. */
const lastWordsMs = 500;
const hardStopMs = 5_000;
