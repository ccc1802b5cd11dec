import type { ErrorCode } from '@messenger/protocol/errors';

import type { Log } from '../telemetry/log.ts';

/** A refusal for which the server is to blame. */
export interface ToldRefusal {
  readonly code: ErrorCode;
  /** The pattern of the route, never the address: that was typed by a user. Undefined before a route is known. */
  readonly route?: string | undefined;
  readonly requestId: string;
  readonly traceId?: string | undefined;
  readonly cause?: string | undefined;
}

interface Recent {
  /** Of the newest that was not told. */
  newest: ToldRefusal;
  untold: number;
}

const tellEveryMs = 1_000;

/**
 * Tells the operator of refusals, without letting an outage flood the log: the first of its code and route at once, those
 * that follow once a second in one line with their `count`. `close` tells the rest.
 */
export class RefusalLog {
  readonly #log: Log;
  readonly #recent = new Map<string, Recent>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  add(refusal: ToldRefusal): void {
    const key = `${refusal.code} ${refusal.route}`;
    const recent = this.#recent.get(key);
    if (recent === undefined) {
      this.#log.warn(refusal, 'a request was refused');
      this.#recent.set(key, { newest: refusal, untold: 0 });
      this.#timer ??= setInterval(() => this.#tell(), tellEveryMs).unref();
    } else {
      recent.newest = refusal;
      recent.untold += 1;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#tell();
  }

  #tell(): void {
    for (const [key, recent] of this.#recent) {
      if (recent.untold > 0) this.#log.warn({ ...recent.newest, count: recent.untold }, 'requests were refused');
      else this.#recent.delete(key);
      recent.untold = 0;
    }
    if (this.#recent.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
