import type { Clock } from '../lib/clock.ts';
import { covers, type Position } from './position.ts';

interface Sample {
  /** When the primary was first seen there, and the earliest time at which everything up to there was written. */
  readonly at: number;
  readonly earliest: number;
  readonly position: Position;
}

/** The age of the oldest WAL that a standby lacks; 0 when it has all that is known. */
export interface Lag {
  readonly leastMs: number;
  /** Infinite while it is not known since when the standby lags. */
  readonly mostMs: number;
}

/** Positions are sampled more often. After a longer gap, WAL may be as old as the gap. */
const gapMs = 1_000;

/**
 * Positions of the primary with times of our own clock, so a standby's lag in time needs no synchronised clocks, and is
 * 0 on an idle primary. Keeps samples younger than `keepMs`, and the last one before them: WAL from before a quiet
 * period is not young because something was written afterwards. WAL from before the first sample may have any age.
 */
export class PrimaryLog {
  readonly #clock: Clock;
  readonly #keepMs: number;
  #samples: Sample[] = [];
  #sampledAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  add(position: Position): void {
    const at = this.#clock.now();
    const before = this.#sampledAt;
    this.#sampledAt = at;
    const last = this.#samples.at(-1);
    // If nothing was written since, the older sample is more precise.
    if (last !== undefined && covers(last.position, position)) return;
    // After a promotion, followers never reach positions of the old timeline.
    const known = last?.position.timeline === position.timeline ? this.#samples : [];
    const earliest = known.length === 0 ? Number.NEGATIVE_INFINITY : at - before > gapMs ? before : at;
    const samples = [...known, { at, earliest, position }];
    this.#samples = samples.filter((_, index) => at - (samples[index + 1]?.at ?? at) <= this.#keepMs);
  }

  lagOf(reached: Position | undefined): Lag {
    const missing = this.#samples.find(({ position }) => !covers(reached, position));
    if (missing === undefined) return { leastMs: 0, mostMs: 0 };
    const now = this.#clock.now();
    return { leastMs: now - missing.at, mostMs: now - missing.earliest };
  }
}
