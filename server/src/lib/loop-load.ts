import { performance, type EventLoopUtilization } from 'node:perf_hooks';

import type { Clock } from './clock.ts';

const everyMs = 100;

/** The utilization of this thread's event loop. It is measured when it is read, at most every 100 ms. */
export class LoopLoad {
  readonly #clock: Clock;
  #since: EventLoopUtilization = performance.eventLoopUtilization();
  #sinceMs: number;
  #utilization = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.now();
  }

  /** From 0 to 1, since the measurement before. */
  get utilization(): number {
    const now = this.#clock.now();
    if (now - this.#sinceMs < everyMs) return this.#utilization;
    const until = performance.eventLoopUtilization();
    this.#utilization = performance.eventLoopUtilization(until, this.#since).utilization;
    this.#since = until;
    this.#sinceMs = now;
    return this.#utilization;
  }
}
