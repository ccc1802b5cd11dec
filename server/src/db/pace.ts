import type { Clock } from '../lib/clock.ts';

/**
 * A batch leaves no sooner after the one before it than this many times what the fastest batch takes, under full pressure: so the
 * fixed cost of batches stays below a sixteenth of the time. Figures: docs/decisions/0045-spacing-of-batches.md.
 */
const spacing = { factor: 16, maxMs: 12 };

/** Pressure below the first has no effect; at the second it has its full effect. */
const range = { from: 0.15, to: 0.45 };

/** Timers of Node are no finer. */
const minMs = 0.5;

/** By this part per batch the fastest of the past is forgotten, so that a database that became slower is noticed. */
const forgetting = 0.01;

/**
 * Spaces the batches of one kind under load. A batch that is spaced holds more calls, and what each batch costs (packets, wake-ups,
 * a commit and its confirmation) is shared by more of them.
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

  /** Milliseconds for which the next batch should wait for company. */
  get waitMs(): number {
    const part = Math.min(1, Math.max(0, (this.#pressure() - range.from) / (range.to - range.from)));
    const ms = this.#leftAtMs + part * Math.min(spacing.factor * this.#fastestMs, spacing.maxMs) - this.#clock.now();
    return ms < minMs ? 0 : ms;
  }

  /** A batch leaves. Returns the time, for `took`. */
  left(): number {
    return (this.#leftAtMs = this.#clock.now());
  }

  /** The batch that left then was answered. */
  took(leftAtMs: number): void {
    const ms = this.#clock.now() - leftAtMs;
    this.#fastestMs = this.#fastestMs === 0 ? ms : Math.min(ms, this.#fastestMs * (1 + forgetting));
  }
}
