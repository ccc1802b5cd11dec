import type { Clock } from '../lib/clock.ts';

/**
 * The interval between two batches under full pressure, as a multiple of the fastest recent batch. The limit bounds the wait when the
 * database is slow. Figures: docs/decisions/0045-spacing-of-batches.md.
 */
const spacing = { factor: 40, maxMs: 12 };

/**
 * The interval grows from zero at the first pressure to its full length at the second. One worker that serves 830 requests/s in the
 * guide's stress run has 0.35, and 0.7 at 5,000/s.
 */
const range = { from: 0.3, to: 0.55 };

/** Node's timers have steps of 1 ms. */
const minMs = 0.5;

/** The fastest duration grows by this fraction per batch, so that it adapts to a slower database. */
const forgetting = 0.01;

/**
 * Spaces the batches of one kind under load, so that more calls share the fixed cost of a batch: packets, wake-ups, a commit and its
 * confirmation.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #pressure: () => number;
  #leftAtMs = Number.NEGATIVE_INFINITY;
  #fastestMs = 0;

  /** `pressure` is from 0 to 1. */
  constructor(clock: Clock, pressure: () => number = () => 0) {
    this.#clock = clock;
    this.#pressure = pressure;
  }

  /** Milliseconds until the next batch may be sent. */
  get waitMs(): number {
    const part = Math.min(1, Math.max(0, (this.#pressure() - range.from) / (range.to - range.from)));
    const ms = this.#leftAtMs + part * Math.min(spacing.factor * this.#fastestMs, spacing.maxMs) - this.#clock.now();
    return ms < minMs ? 0 : ms;
  }

  /** Call it when a batch is sent. Returns the time, for `took`. */
  left(): number {
    return (this.#leftAtMs = this.#clock.now());
  }

  /** Call it when the batch sent at `leftAtMs` was answered. */
  took(leftAtMs: number): void {
    const ms = this.#clock.now() - leftAtMs;
    this.#fastestMs = this.#fastestMs === 0 ? ms : Math.min(ms, this.#fastestMs * (1 + forgetting));
  }
}
