import { PrimaryLog } from '../db/primary-log.ts';
import type { Clock } from '../lib/clock.ts';

/** A standby that is later than this is told to be so late. */
const longestMs = 3_600_000;

/** Here the positions of one primary are compared, and of standbys that are known to be its own. */
const timeline = 1;

/**
 * How late standbys are, in time, by our own clock (docs/decisions/0013): the age of the oldest sample of the primary's position
 * that a standby does not have. Too low by what passes between two samples at most, never negative, at most an hour.
 */
export class ReplicationLag {
  readonly #clock: Clock;
  #log: PrimaryLog;
  #newest = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#log = new PrimaryLog(clock, longestMs);
  }

  /** Bytes of log on the disk of the primary, in the order in which it said so; undefined when it did not answer. */
  note(flushed: number | undefined): void {
    if (flushed === undefined) return;
    // Restored from a backup: nobody will ever have what it had before.
    if (flushed < this.#newest) this.#log = new PrimaryLog(this.#clock, longestMs);
    this.#newest = flushed;
    this.#log.add({ timeline, lsn: BigInt(flushed) });
  }

  secondsOf(replayed: number): number {
    return this.#log.lagOf({ timeline, lsn: BigInt(replayed) }) / 1_000;
  }
}
