import type { Clock } from '../lib/clock.ts';

/** Two of them are long enough to tell a queue that stands from a burst that passes. CoDel's interval. */
const windowMs = 100;

/** A window that took so long tells of a process that did not run, or had nothing to do: not of its requests. */
const longestWindowMs = 2 * windowMs;

/** Always admitted: so few are never a queue, and without them recovery would go unnoticed. */
const leastAtWork = 64;

/** While a queue is cut down, this part of `maxQueueMs` is left to it: enough to keep a server busy. */
const shortQueue = 1 / 4;

/** Of the limit, per window: to four times as much in three seconds, as long as who was refused is asked to stay away. */
const growth = 1.05;

/**
 * Decides whether one more request can be answered in time, from the requests themselves: how many are at work, how many
 * get done, and how long each took. What they wait for (connections, batches, the event loop) it need not know.
 *
 * A queue stands when, twice in a row, most requests of a tenth of a second took longer than `maxQueueMs`, or none got
 * done at all: a median, so that slow requests among quick ones mean nothing, and twice, so that what waited while the
 * machine or a disk stood still is answered and not refused. From then on no more are at work than get done within a
 * quarter of `maxQueueMs` (Little's law). That limit grows slowly while nobody is refused, or most get done sooner than that;
 * else it is set again. `maxQueueMs` 0 takes everything.
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
  /** Since then. */
  #done = 0;
  /** Took longer than `maxQueueMs`. */
  #slow = 0;
  /** Took longer than a short queue. */
  #queued = 0;
  #hasRefused = false;
  #wasSlow = false;

  constructor(maxQueueMs: number, clock: Clock) {
    this.#maxQueueMs = maxQueueMs;
    this.#clock = clock;
    this.#windowBegan = clock.now();
  }

  /** Costs next to nothing, so that it can be asked before anything is done for a request. */
  isOpen(): boolean {
    if (this.#atWork < leastAtWork || this.#maxQueueMs === 0) return true;
    this.#judge(this.#clock.now());
    const isOpen = this.#atWork < this.#limit;
    if (!isOpen) this.#hasRefused = true;
    return isOpen;
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
    const tookMs = now - began;
    if (tookMs > this.#maxQueueMs) this.#slow += 1;
    if (tookMs > this.#maxQueueMs * shortQueue) this.#queued += 1;
  }

  #judge(now: number): void {
    const elapsedMs = now - this.#windowBegan;
    if (elapsedMs < windowMs) return;
    const isSlow = this.#isMost(this.#slow, elapsedMs);
    const isStanding = (isSlow && this.#wasSlow) || (this.#hasRefused && this.#isMost(this.#queued, elapsedMs));
    const inShortQueue = Math.max(leastAtWork, (this.#done / elapsedMs) * this.#maxQueueMs * shortQueue);
    const grown = this.#limit * growth ** (elapsedMs / windowMs);
    this.#limit = isStanding ? inShortQueue : Math.max(grown, inShortQueue);
    this.#wasSlow = isSlow;
    this.#windowBegan = now;
    this.#done = 0;
    this.#slow = 0;
    this.#queued = 0;
    this.#hasRefused = false;
  }

  /** Of a window in which nothing got done, all were too slow. */
  #isMost(count: number, elapsedMs: number): boolean {
    if (elapsedMs >= longestWindowMs) return false;
    return this.#done === 0 ? this.#atWork > 0 : count * 2 > this.#done;
  }
}
