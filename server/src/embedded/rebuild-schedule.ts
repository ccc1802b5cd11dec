import type { Clock } from '../lib/clock.ts';

/** After this long, a rebuild counts as successful, and the next one as the first. */
const forgivenMs = 600_000;
const baseDelayMs = 1_000;
const maxDelayMs = 300_000;

/**
 * When the standby may be rebuilt: at once the first time, then with growing delays of up to 5 minutes while rebuilds
 * follow each other within 10 minutes. A rebuild reads and writes the whole database, so a useless one must not loop;
 * but giving up permanently would require an operator.
 */
export class RebuildSchedule {
  readonly #clock: Clock;
  #attempts = 0;
  #lastAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isDue(): boolean {
    return this.#attempts === 0 || this.#clock.now() - this.#lastAt >= this.#delayMs();
  }

  /** Records the end of a rebuild, successful or not. */
  attempted(): void {
    const now = this.#clock.now();
    if (now - this.#lastAt > forgivenMs) this.#attempts = 0;
    this.#attempts += 1;
    this.#lastAt = now;
  }

  #delayMs(): number {
    return Math.min(maxDelayMs, baseDelayMs * 2 ** (this.#attempts - 1));
  }
}
