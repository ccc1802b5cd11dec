import type { Log } from './log.ts';

const windowMs = 1_000;

export interface SampledLogOptions {
  readonly mostPerSecond: number;
  /** The message of the line with the number of omitted lines. */
  readonly leftOut: string;
}

/**
 * Limits the lines of one kind per second. At the end of the second, one line has the `count` of omitted ones; `close` writes the
 * rest. Cheap enough for every request.
 */
export class SampledLog {
  readonly #log: Log;
  readonly #options: SampledLogOptions;
  #written = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, options: SampledLogOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** Whether one more line may be written now. If not, counts it as omitted. */
  take(): boolean {
    this.#timer ??= setTimeout(() => this.close(), windowMs).unref();
    if (this.#written >= this.#options.mostPerSecond) {
      this.#leftOut += 1;
      return false;
    }
    this.#written += 1;
    return true;
  }

  /** Ends the second. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut > 0) this.#log.info({ count: this.#leftOut }, this.#options.leftOut);
    this.#written = 0;
    this.#leftOut = 0;
  }
}
