import type { Clock } from '../lib/clock.ts';

/** What is looked at from time to time. */
export interface Living {
  check(nowMs: number): void;
}

const everyMs = 1_000;

/** Each socket is looked at once in so many ticks. */
const ticks = 5;

/** Looks at every socket once in five seconds, with one timer for all: a timer for each costs memory, and CPU in bursts. */
export class Pulse {
  readonly #clock: Clock;
  readonly #slots: readonly Set<Living>[] = Array.from({ length: ticks }, () => new Set<Living>());
  #added = 0;
  #tick = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(living: Living): void {
    this.#timer ??= setInterval(() => this.tick(), everyMs).unref();
    this.#slots[(this.#added += 1) % ticks]?.add(living);
  }

  remove(living: Living): void {
    for (const slot of this.#slots) slot.delete(living);
  }

  /** Called by the timer; tests call it instead of waiting. */
  tick(): void {
    this.#tick += 1;
    const now = this.#clock.now();
    for (const living of this.#slots[this.#tick % ticks] ?? []) living.check(now);
    if (this.#slots.some(({ size }) => size > 0)) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
