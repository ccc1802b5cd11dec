import { PrimaryLog } from '../db/primary-log.ts';
import type { Clock } from '../lib/clock.ts';

/** A standby that is later than this is told to be so late. */
const longestMs = 3_600_000;

/** What is on the disk of a primary. */
export interface Flushed {
  /** Bytes of log. */
  readonly position: number;
  readonly timeline: number;
}

/** Positions of standbys are compared with those of the newest primary; whether they follow it is judged elsewhere. */
const timeline = 1;

/**
 * How late standbys are, in time, by our own clock (docs/decisions/0013): the age of the oldest sample of the primary's position
 * that a standby does not have. Too low by what passes between two samples, and for a standby that was late before the first
 * sample until it has caught up; never negative, at most an hour.
 */
export class ReplicationLag {
  readonly #clock: Clock;
  #log: PrimaryLog;
  #newest: Flushed = { position: 0, timeline: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#log = new PrimaryLog(clock, longestMs);
  }

  /** In the order in which the primary said so; undefined when it did not answer. */
  note(flushed: Flushed | undefined): void {
    if (flushed === undefined) return;
    const { position } = flushed;
    // Another primary since a promotion, or a restored backup: what the one before had will never be replayed.
    if (flushed.timeline !== this.#newest.timeline || position < this.#newest.position)
      this.#log = new PrimaryLog(this.#clock, longestMs);
    this.#newest = flushed;
    this.#log.add({ timeline, lsn: BigInt(position) });
  }

  secondsOf(replayed: number): number {
    return this.#log.lagOf({ timeline, lsn: BigInt(replayed) }).leastMs / 1_000;
  }
}
