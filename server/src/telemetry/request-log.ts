import type { EndedRequest, HttpObserver } from '../http/observer.ts';
import type { Log } from './log.ts';
import { SampledLog } from './sampled-log.ts';

export interface RequestLogOptions {
  /** Lines a second for requests that went well in time; 0 writes none. */
  readonly mostPerSecond: number;
  /** Requests that took so long are always written. */
  readonly slowMs: number;
}

/** Enough for every failure but those of an outage, which `RefusalLog` counts: it must not fill the disk as well. */
const mostNoteworthyPerSecond = 1_000;

/**
 * One line per request, without anything that a user typed: the route's pattern, never the address. Of requests that went
 * well so many a second as is asked for; those that failed (5xx) or were slow as warnings, and always, but for more than a
 * thousand a second. What is left out is counted.
 */
export class RequestLog implements Pick<HttpObserver, 'requestEnded'> {
  readonly #log: Log;
  readonly #options: RequestLogOptions;
  readonly #ordinary: SampledLog;
  readonly #noteworthy: SampledLog;

  constructor(log: Log, options: RequestLogOptions) {
    this.#log = log;
    this.#options = options;
    const { mostPerSecond } = options;
    this.#ordinary = new SampledLog(log, { mostPerSecond, leftOut: 'requests were not logged one by one' });
    this.#noteworthy = new SampledLog(log, {
      mostPerSecond: mostNoteworthyPerSecond,
      leftOut: 'slow or failed requests were not logged one by one',
    });
  }

  requestEnded(request: EndedRequest): void {
    if (isRefusedEarly(request)) return;
    const isNoteworthy = request.status >= 500 || request.durationMs >= this.#options.slowMs;
    if (isNoteworthy) {
      if (this.#noteworthy.take()) this.#log.warn(describe(request), 'a request failed or was slow');
    } else if (this.#options.mostPerSecond > 0 && this.#ordinary.take()) this.#log.info(describe(request), 'request');
  }

  /** Tells what was left out. */
  close(): void {
    this.#ordinary.close();
    this.#noteworthy.close();
  }
}

/** Before its route was looked at, which has to be cheap. `RefusalLog` tells how many there were. */
function isRefusedEarly({ route, status }: EndedRequest): boolean {
  return route === undefined && status === 503;
}

function describe({ method, route, status, durationMs, requestId, traceId }: EndedRequest): object {
  return { method, route, status, durationMs: Math.round(durationMs * 10) / 10, requestId, traceId };
}
