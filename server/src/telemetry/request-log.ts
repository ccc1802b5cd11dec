import type { EndedRequest, HttpObserver } from '../http/observer.ts';
import type { Log } from './log.ts';
import { RepeatLog, type RepeatedLine } from './repeat-log.ts';
import { SampledLog } from './sampled-log.ts';
import { requestMessages } from './terminal.ts';

export interface RequestLogOptions {
  /** Lines per second for requests that are successful and not slow; 0: none. */
  readonly mostPerSecond: number;
  /** A request that takes at least this long is slow. */
  readonly slowMs: number;
}

const mostSlowPerSecond = 10;
/** The answer to an unknown method: a client error. */
const notImplemented = 501;

/**
 * Logs requests without user data: the route's pattern, never the URL. Successful requests up to the configured rate, slow ones
 * up to ten per second, failed ones (5xx) in shared lines by route and status. Omitted lines are counted. Lines of slow and
 * failed requests have the client's address.
 */
export class RequestLog implements Pick<HttpObserver, 'requestEnded'> {
  readonly #log: Log;
  readonly #options: RequestLogOptions;
  readonly #ordinary: SampledLog;
  readonly #slow: SampledLog;
  readonly #failed: RepeatLog;

  constructor(log: Log, options: RequestLogOptions) {
    this.#log = log;
    this.#options = options;
    const { mostPerSecond } = options;
    this.#ordinary = new SampledLog(log, { mostPerSecond, leftOut: requestMessages.leftOut });
    const leftOut = 'slow requests were not logged one by one';
    this.#slow = new SampledLog(log, { mostPerSecond: mostSlowPerSecond, leftOut });
    this.#failed = new RepeatLog(log);
  }

  requestEnded(request: EndedRequest): void {
    if (isRefusedEarly(request)) return;
    if (request.status >= 500 && request.status !== notImplemented)
      this.#failed.add(failureLine(request), () => describeBad(request));
    else if (request.durationMs >= this.#options.slowMs) {
      if (this.#slow.take()) this.#log.warn(describeBad(request), 'a request failed or was slow');
    } else if (this.#options.mostPerSecond > 0 && this.#ordinary.take())
      this.#log.info(describe(request), requestMessages.one);
  }

  /** Writes the counts of omitted lines. */
  close(): void {
    this.#ordinary.close();
    this.#slow.close();
    this.#failed.close();
  }
}

function failureLine({ method, route, status }: EndedRequest): RepeatedLine {
  const key = `${method} ${route} ${status}`;
  return { level: 'warn', key, one: 'a request failed or was slow', many: 'requests failed' };
}

/** Shed before routing, which must be cheap. A line of its own has the count. */
function isRefusedEarly({ route, status }: EndedRequest): boolean {
  return route === undefined && status === 503;
}

function describeBad(request: EndedRequest): object {
  return { ...describe(request), client: request.client };
}

function describe({ method, route, status, durationMs, requestId, traceId }: EndedRequest): object {
  return { method, route, status, durationMs: Math.round(durationMs * 10) / 10, requestId, traceId };
}
