import type { Clock } from '../lib/clock.ts';

/** A deadline is kept within this time. One timer for all requests: one for each would cost each of them. */
const tickMs = 50;

/**
 * Ends the requests that take too long. All have the same time, from their headers to the end of their answer, so that the
 * oldest is late first.
 */
export class Deadlines<Exchange extends { readonly beganMs: number }> {
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #onLate: (exchange: Exchange) => void;
  readonly #open = new Set<Exchange>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, clock: Clock, onLate: (exchange: Exchange) => void) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#onLate = onLate;
  }

  add(exchange: Exchange): void {
    this.#open.add(exchange);
    this.#timer ??= setInterval(() => this.#check(), tickMs).unref();
  }

  remove(exchange: Exchange): void {
    this.#open.delete(exchange);
  }

  #check(): void {
    const latest = this.#clock.now() - this.#timeoutMs;
    for (const exchange of this.#open) {
      if (exchange.beganMs > latest) break;
      this.#open.delete(exchange);
      this.#onLate(exchange);
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
