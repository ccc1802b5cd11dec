import type { Clock } from '../lib/clock.ts';

/** Long enough to tell a queue that stands from a burst that passes. CoDel's interval. */
const windowMs = 100;

/**
 * Requests that may always be at work. So many are never a queue, and without any nobody would learn that a database
 * which stood still is back.
 */
const leastAtWork = 64;

/**
 * Decides whether one more request can be answered in time, from the requests themselves: how many are at work, how many
 * get done, and how long each took. What they wait for (connections, batches, the event loop) it need not know.
 *
 * A queue stands when most requests of a tenth of a second took longer than `maxQueueMs`, or none got done at all: a
 * median, so that slow requests among quick ones mean nothing. From then on no more are taken than get done within
 * `maxQueueMs` (Little's law), until most take less than half as long again. `maxQueueMs` 0 takes everything.
 *
 * Technique: Controlled Delay (Nichols and Jacobson, RFC 8289), with a concurrency limit in place of drops, because what
 * was begun is paid for. Why and how well: docs/decisions/0010-overload.md.
 */
export class Admission {
  readonly #maxQueueMs: number;
  readonly #clock: Clock;
  #atWork = 0;
  #limit = Number.POSITIVE_INFINITY;
  #windowBegan: number;
  /** Since then: all that got done, and how many of them within half of `maxQueueMs`, and not within it. */
  #done = 0;
  #quick = 0;
  #slow = 0;

  constructor(maxQueueMs: number, clock: Clock) {
    this.#maxQueueMs = maxQueueMs;
    this.#clock = clock;
    this.#windowBegan = clock.now();
  }

  /** Costs next to nothing, so that it can be asked before anything is done for a request. */
  isOpen(): boolean {
    if (this.#atWork < leastAtWork || this.#maxQueueMs === 0) return true;
    this.#judge(this.#clock.now());
    return this.#atWork < this.#limit;
  }

  /** A request's work begins. Returns what `end` wants to know. */
  begin(): number {
    this.#atWork += 1;
    return this.#clock.now();
  }

  end(began: number): void {
    const now = this.#clock.now();
    this.#judge(now);
    this.#atWork -= 1;
    this.#done += 1;
    if (now - began > this.#maxQueueMs) this.#slow += 1;
    else if (now - began < this.#maxQueueMs / 2) this.#quick += 1;
  }

  #judge(now: number): void {
    const elapsedMs = now - this.#windowBegan;
    if (elapsedMs < windowMs) return;
    const isStanding = this.#done === 0 ? this.#atWork > 0 : this.#slow * 2 > this.#done;
    const isOver = this.#quick * 2 > this.#done || this.#atWork === 0;
    if (isStanding || (Number.isFinite(this.#limit) && !isOver)) {
      this.#limit = Math.max(leastAtWork, (this.#done / elapsedMs) * this.#maxQueueMs);
    } else this.#limit = Number.POSITIVE_INFINITY;
    this.#windowBegan = now;
    this.#done = 0;
    this.#quick = 0;
    this.#slow = 0;
  }
}
