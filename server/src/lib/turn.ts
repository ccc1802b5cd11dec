import type { Clock } from './clock.ts';

/** Long enough for many to come together, short enough that nobody sees it. */
const longestMs = 20;

/**
 * The turn of the event loop, with an end that comes in time. Node reads all that has arrived before it comes to `setImmediate`
 * and timers, in rounds of 1,024 events for as long as rounds are full, up to 48 (libuv's `uv__io_poll`): with thousands of
 * busy connections that takes seconds. Here a turn is also over when it has lasted 20 ms, as `tick` finds out.
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
    this.#endsBy = this.#clock.now() + longestMs;
    setImmediate(() => this.#end());
  }

  /** For whatever comes in numbers, each time. */
  tick(): void {
    if (this.#tasks.length > 0 && this.#clock.now() >= this.#endsBy) this.#end();
  }

  #end(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  }
}
