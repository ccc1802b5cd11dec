import type { Clock } from '../lib/clock.ts';

/** Accuracy of the deadlines, in ms. One timer serves all requests, because a timer per request costs more. */
const tickMs = 50;

/** Aborts late requests. All have the same time limit, from the headers to the end of the response, so the oldest expires first. */
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
