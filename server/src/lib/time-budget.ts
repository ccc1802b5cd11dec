import type { Clock } from './clock.ts';

/** Time for some kind of work: a share of the time that passes, and at most `burstMs` of it at once. */
export class TimeBudget {
  readonly #share: number;
  readonly #burstMs: number;
  readonly #clock: Clock;
  #leftMs: number;
  #atMs: number;

  constructor(share: number, burstMs: number, clock: Clock) {
    this.#share = share;
    this.#burstMs = burstMs;
    this.#clock = clock;
    this.#leftMs = burstMs;
    this.#atMs = clock.now();
  }

  /** Counts work that has just ended. Returns for how long there is no time for more. */
  spend(ms: number): number {
    const nowMs = this.#clock.now();
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + (nowMs - this.#atMs) * this.#share) - ms;
    this.#atMs = nowMs;
    return Math.max(0, -this.#leftMs / this.#share);
  }
}
