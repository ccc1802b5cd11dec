import type { Clock } from '../lib/clock.ts';
import { covers, type Position } from './position.ts';

interface Sample {
  /** When the primary was seen there first, and when everything up to there was written at the earliest. */
  readonly at: number;
  readonly earliest: number;
  readonly position: Position;
}

/** How long ago the oldest thing happened that a standby does not have; 0 when it has all that is known. */
export interface Lag {
  readonly leastMs: number;
  /** Infinite while it is not known since when the standby is behind. */
  readonly mostMs: number;
}

/** Positions are sampled more often. What was written in a longer gap may be as old as the gap. */
const gapMs = 1_000;

/**
 * Where the primary was and when, by our own clock: so a standby's lag in time needs no clock of theirs, and is 0 on a
 * server where nothing happens. Holds what is younger than `keepMs`, and the last sample before that: what was written before
 * a quiet time is not young because something was written after it. What was written before the first sample is of any age.
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
    // Where nothing was written since, the older sample says more: whoever has this has it since then.
    if (last !== undefined && covers(last.position, position)) return;
    // After a promotion, nobody who follows ever has positions of the timeline that was left.
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
