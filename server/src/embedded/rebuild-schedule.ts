import type { Clock } from '../lib/clock.ts';

/** A standby that has lasted this long was rebuilt for good; the next rebuild is a first one again. */
const forgivenMs = 600_000;
const baseDelayMs = 1_000;
const maxDelayMs = 300_000;

/**
 * When the standby may be rebuilt again: the first time at once, then ever more rarely, down to every 5 minutes, for as
 * long as rebuilds follow each other within 10 minutes. A rebuild reads and writes the whole database, so one that does
 * not help must not become a loop; but giving up for good would need an operator.
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
