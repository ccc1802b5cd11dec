import type { Clock } from '../lib/clock.ts';
import type { Identity } from './identity.ts';
import { covers, type Position } from './position.ts';

interface Sample {
  readonly at: number;
  readonly position: Position;
}

/**
 * Who the primary is, where it was and when, by our own clock: so a standby's lag in time needs no clock of theirs, and is 0 on a
 * server where nothing happens. Holds what is younger than `keepMs`, and the last sample before that: what was written before
 * a quiet time is not young because something was written after it.
 */
export class PrimaryLog {
  readonly #clock: Clock;
  readonly #keepMs: number;
  #samples: Sample[] = [];
  /** As it was last heard of; undefined before that. */
  identity: Identity | undefined;

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  add(position: Position): void {
    const at = this.#clock.now();
    const last = this.#samples.at(-1);
    // Where nothing was written since, the older sample says more: whoever has this has it since then.
    if (last !== undefined && covers(last.position, position)) return;
    // After a promotion, nobody who follows ever has positions of the timeline that was left.
    const known = last?.position.timeline === position.timeline ? this.#samples : [];
    const samples = [...known, { at, position }];
    this.#samples = samples.filter((_, index) => at - (samples[index + 1]?.at ?? at) <= this.#keepMs);
  }

  /** Milliseconds since the oldest thing happened that a server at `reached` does not have; 0 when it has all we know of. */
  lagOf(reached: Position | undefined): number {
    const missing = this.#samples.find(({ position }) => !covers(reached, position));
    return missing === undefined ? 0 : this.#clock.now() - missing.at;
  }
}
