import { setImmediate } from 'node:timers/promises';

import type { Clock } from '../src/clock.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/** Time that passes only when a test says so. */
export class VirtualClock implements Clock {
  #now = 1_800_000_000_000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  setTimeout(task: () => void, delayMs: number): Timer {
    this.#order += 1;
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order, task };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    for (const one of this.#timers) if (one === timer) this.#timers.delete(one);
  }

  /** Runs what is due in the next `ms`, each after all promises before it. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await setImmediate();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.task();
      await setImmediate();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const one of this.#timers)
      if (
        one.at <= end &&
        (first === undefined || one.at < first.at || (one.at === first.at && one.order < first.order))
      )
        first = one;
    return first;
  }
}
