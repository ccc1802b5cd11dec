/** Units per second, and those that can be saved up. A frame is one unit, and one more for each KiB. */
const perSecond = 1_000;
const burst = 2_000;

/** Between two requests to slow down. */
const tellEveryMs = 1_000;

/** What to do about a frame: nothing, ask its client to wait so long, or close its socket. */
export type RateVerdict = 'fine' | 'flood' | { readonly afterMs: number };

/**
 * Token bucket of the frames of one client. Beyond it, the client is asked to slow down, and its frames are still handled, until it has used
 * as much again.
 */
export class FrameRate {
  #left = burst;
  #filledMs: number;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  take(bytes: number, nowMs: number): RateVerdict {
    const gained = ((nowMs - this.#filledMs) * perSecond) / 1_000;
    this.#filledMs = nowMs;
    this.#left = Math.min(burst, this.#left + gained) - 1 - bytes / 1_024;
    if (this.#left >= 0) return 'fine';
    if (this.#left < -burst) return 'flood';
    if (nowMs - this.#toldMs < tellEveryMs) return 'fine';
    this.#toldMs = nowMs;
    return { afterMs: Math.ceil((1_000 * (burst / 2 - this.#left)) / perSecond) };
  }
}
