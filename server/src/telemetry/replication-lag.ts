import { PrimaryLog } from '../db/primary-log.ts';
import type { Clock } from '../lib/clock.ts';

/** The reported maximum. */
const longestMs = 3_600_000;

/** A flushed WAL position of a primary. */
export interface Flushed {
  /** Bytes of WAL. */
  readonly position: number;
  readonly timeline: number;
}

/** Standbys are compared with the newest primary; whether they follow it is checked elsewhere. */
const timeline = 1;

/**
 * Replication lag in time, by this process's clock (docs/decisions/0013): the age of the oldest sampled primary position that the
 * standby has not replayed. Too low by up to one sample interval, and for a standby that lagged before the first sample until it
 * has caught up. Never negative, at most an hour.
 */
export class ReplicationLag {
  readonly #clock: Clock;
  #log: PrimaryLog;
  #newest: Flushed = { position: 0, timeline: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#log = new PrimaryLog(clock, longestMs);
  }

  /** Samples in order; undefined when the primary did not answer. */
  note(flushed: Flushed | undefined): void {
    if (flushed === undefined) return;
    const { position } = flushed;
    // Another primary after a promotion, or a restored backup: the old positions will never be replayed.
    if (flushed.timeline !== this.#newest.timeline || position < this.#newest.position)
      this.#log = new PrimaryLog(this.#clock, longestMs);
    this.#newest = flushed;
    this.#log.add({ timeline, lsn: BigInt(position) });
  }

  secondsOf(replayed: number): number {
    return this.#log.lagOf({ timeline, lsn: BigInt(replayed) }).leastMs / 1_000;
  }
}
