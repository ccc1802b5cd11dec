import type { Clock } from './clock.ts';

/** How many crashes within how long are too many, and how long to wait between them. Times in milliseconds. */
export interface RestartLimits {
  readonly maxCrashes: number;
  readonly windowMs: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/** A process that crashes more often than five times a minute is broken, not unlucky. */
const defaultRestartLimits: RestartLimits = {
  maxCrashes: 5,
  windowMs: 60_000,
  baseDelayMs: 100,
  maxDelayMs: 5_000,
};

/**
 * Decides whether something that crashed is started again. The first crash within the window restarts at once;
 * each further one waits twice as long as the one before. More than `maxCrashes` in the window exhaust the budget.
 */
export class RestartBudget {
  readonly #limits: RestartLimits;
  readonly #clock: Clock;
  #crashes: number[] = [];

  constructor(clock: Clock, limits: RestartLimits = defaultRestartLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Records a crash. Returns the milliseconds to wait before the restart, or undefined when the budget is spent. */
  crashed(): number | undefined {
    const { maxCrashes, windowMs, baseDelayMs, maxDelayMs } = this.#limits;
    const now = this.#clock.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < windowMs), now];
    const count = this.#crashes.length;
    if (count > maxCrashes) return undefined;
    return count === 1 ? 0 : Math.min(maxDelayMs, baseDelayMs * 2 ** (count - 2));
  }
}
