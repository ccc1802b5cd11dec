import type { Clock } from '../lib/clock.ts';

/** What sends its newest state, not each one. */
export interface Coalesced {
  flushedAtMs: number;
  flush(): void;
}

/** The least time between two states of one thing. */
const intervalMs = 100;

/** Flushes at once after a pause, else at the end of the interval. One timer for all. */
export class Coalescer {
  readonly #clock: Clock;
  readonly #waiting = new Set<Coalesced>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(one: Coalesced): void {
    if (this.#waiting.has(one)) return;
    if (this.#clock.now() - one.flushedAtMs >= intervalMs) this.#flush(one);
    else this.later(one);
  }

  later(one: Coalesced): void {
    this.#waiting.add(one);
    this.#timer ??= setTimeout(() => this.#tick(), intervalMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #tick(): void {
    this.#timer = undefined;
    const due = [...this.#waiting];
    this.#waiting.clear();
    for (const one of due) this.#flush(one);
  }

  #flush(one: Coalesced): void {
    one.flushedAtMs = this.#clock.now();
    one.flush();
  }
}
