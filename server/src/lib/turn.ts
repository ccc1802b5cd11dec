import type { Clock } from './clock.ts';

/** Long enough to gather many calls, too short to notice. */
const maxTurnMs = 20;

/**
 * One event-loop turn with a bounded duration. Node reads all arrived data before it runs `setImmediate` and timers, in
 * rounds of 1,024 events, up to 48 while rounds are full (libuv's `uv__io_poll`): seconds with thousands of busy
 * connections. Here a turn also ends after 20 ms, checked by `tick`.
 */
export class Turn {
  readonly #clock: Clock;
  #tasks: (() => void)[] = [];
  #endsBy = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  atEnd(task: () => void): void {
    if (this.#tasks.push(task) > 1) return;
    this.#endsBy = this.#clock.now() + maxTurnMs;
    setImmediate(() => this.#end());
  }

  /** Call it for each unit of frequent work. */
  tick(): void {
    if (this.#tasks.length > 0 && this.#clock.now() >= this.#endsBy) this.#end();
  }

  #end(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  }
}
