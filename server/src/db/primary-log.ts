import type { Clock } from '../lib/clock.ts';
import { covers, type Position } from './position.ts';

interface Sample {
  readonly at: number;
  readonly position: Position;
}

/**
 * Where the primary was and when, by our own clock: so a standby's lag in time needs no clock of theirs, and is 0 on a
 * server where nothing happens. Holds what is younger than `keepMs`.
 */
export class PrimaryLog {
  readonly #clock: Clock;
  readonly #keepMs: number;
  #samples: Sample[] = [];

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  add(position: Position): void {
    const at = this.#clock.now();
    const last = this.#samples.at(-1);
    // Where nothing was written since, the older sample says more: whoever has this has it since then.
    if (last !== undefined && covers(last.position, position)) return;
    this.#samples.push({ at, position });
    this.#samples = this.#samples.filter((one, index) => index > 0 || at - one.at <= this.#keepMs);
  }

  /** Milliseconds since the oldest thing happened that a server at `reached` does not have; 0 when it has all we know of. */
  lagOf(reached: Position | undefined): number {
    const missing = this.#samples.find(({ position }) => !covers(reached, position));
    return missing === undefined ? 0 : this.#clock.now() - missing.at;
  }
}
