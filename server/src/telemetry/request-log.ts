import type { EndedRequest, HttpObserver } from '../http/observer.ts';
import type { Log } from './log.ts';
import { RepeatLog, type RepeatedLine } from './repeat-log.ts';
import { SampledLog } from './sampled-log.ts';
import { requestMessages } from './terminal.ts';

export interface RequestLogOptions {
  /** Lines a second for requests that went well in time; 0 writes none. */
  readonly mostPerSecond: number;
  /** From here on a request is slow. */
  readonly slowMs: number;
}

const mostSlowPerSecond = 10;
/** The answer to a method that nobody knows: a mistake of the client. */
const notImplemented = 501;

/**
 * Lines for requests, without anything that a user typed: the route's pattern, never the address that was asked for. Of requests that went
 * well so many a second as is asked for; of slow ones ten a second; those that failed (5xx) share lines by route and status. What is left
 * out is counted. Lines of slow and failed requests have the client's address.
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

  /** Writes what was left out. */
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

/** Before its route was looked at, which has to be cheap. The line of refusals has their number. */
function isRefusedEarly({ route, status }: EndedRequest): boolean {
  return route === undefined && status === 503;
}

function describeBad(request: EndedRequest): object {
  return { ...describe(request), client: request.client };
}

function describe({ method, route, status, durationMs, requestId, traceId }: EndedRequest): object {
  return { method, route, status, durationMs: Math.round(durationMs * 10) / 10, requestId, traceId };
}
