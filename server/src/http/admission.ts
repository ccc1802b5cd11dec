import type { Clock } from '../lib/clock.ts';

/** CoDel's interval. Two of them distinguish a standing queue from a burst. */
const windowMs = 100;

/** A longer window means that the process was suspended or idle; it is ignored. */
const longestWindowMs = 2 * windowMs;

/** Concurrency that is always admitted. Too low for a queue, and needed to detect recovery. */
const leastAtWork = 64;

/** The target of a reduced queue, as a fraction of `maxQueueMs`: enough to keep a server busy. */
const shortQueue = 1 / 4;

/** Growth of the limit per window: a factor of four in three seconds, which is how long refused clients wait. */
const growth = 1.05;

/**
 * Decides whether to admit a request, from the number in flight, the completion rate and the latencies. What requests wait for
 * (connections, batches, the event loop) does not matter.
 *
 * A standing queue is detected when, in two successive windows of 100 ms, most requests took longer than `maxQueueMs`, or none completed.
 * The median ignores a few slow requests; two windows ignore a short stall of the machine or a disk. Then concurrency is limited to what
 * completes within a quarter of `maxQueueMs` (Little's law). The limit grows slowly while no request is refused, or most complete faster
 * than that; else it is computed again. `maxQueueMs` 0 admits everything.
 *
 * Technique: Controlled Delay (Nichols and Jacobson, RFC 8289), with a concurrency limit instead of drops: work already started is not
 * wasted. Measurements: docs/decisions/0010-overload.md.
 */
export class Admission {
  readonly #maxQueueMs: number;
  readonly #clock: Clock;
  #atWork = 0;
  #limit = Number.POSITIVE_INFINITY;
  #windowBegan: number;
  /** Completed in this window. */
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

  /** Whether a new request is admitted. Cheap: called before any other work for the request. */
  isOpen(): boolean {
    if (this.#atWork < leastAtWork || this.#maxQueueMs === 0) return true;
    this.#judge(this.#clock.now());
    const isOpen = this.#atWork < this.#limit;
    if (!isOpen) this.#hasRefused = true;
    return isOpen;
  }

  /** Records the start of a request. Pass the result to `end`. */
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

  /** A window without a completed request counts as slow. */
  #isMost(count: number, elapsedMs: number): boolean {
    if (elapsedMs >= longestWindowMs) return false;
    return this.#done === 0 ? this.#atWork > 0 : count * 2 > this.#done;
  }
}
