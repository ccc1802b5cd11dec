import type { Log } from './log.ts';

const windowMs = 1_000;

export interface SampledLogOptions {
  readonly mostPerSecond: number;
  /** The message of the line that tells how many were left out. */
  readonly leftOut: string;
}

/**
 * Bounds how many lines of one kind a second has, so that what happens often cannot flood the log. What was left out is
 * told in one line with its `count`, at the end of the second; `close` tells the rest. Asking costs next to nothing.
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

  /** Whether one more line may be written now. If not, it counts as left out. */
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
