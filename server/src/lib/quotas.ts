import type { Clock } from './clock.ts';

/** What is left of a key's quota. */
export interface Allowance {
  readonly isExceeded: boolean;
  readonly remaining: number;
  /** Until the whole quota is available again. */
  readonly resetMs: number;
}

interface Window {
  readonly endsMs: number;
  used: number;
}

/**
 * Counts per key within windows of fixed length. A key's window begins with its first unit. Memory is bounded by the keys of two
 * windows: keys are kept in two generations, and the older one is dropped as a whole.
 */
export class Quotas {
  readonly quota: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #newer = new Map<string, Window>();
  #older = new Map<string, Window>();
  #swapMs = Number.NEGATIVE_INFINITY;

  constructor(quota: number, windowMs: number, clock: Clock) {
    this.quota = quota;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /** Uses one unit of the key, if there is one. */
  take(key: string): Allowance {
    const now = this.#clock.now();
    const window = this.#find(key, now) ?? this.#open(key, now);
    const isExceeded = window.used >= this.quota;
    if (!isExceeded) window.used += 1;
    return { isExceeded, remaining: this.quota - window.used, resetMs: window.endsMs - now };
  }

  /** Whether `take` would refuse. */
  isUsedUp(key: string): boolean {
    return (this.#find(key, this.#clock.now())?.used ?? 0) >= this.quota;
  }

  #find(key: string, now: number): Window | undefined {
    const window = this.#newer.get(key) ?? this.#older.get(key);
    return window === undefined || window.endsMs <= now ? undefined : window;
  }

  #open(key: string, now: number): Window {
    // A window that was opened before the last swap but one has ended.
    if (now >= this.#swapMs) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#swapMs = now + this.#windowMs;
    }
    const window = { endsMs: now + this.#windowMs, used: 0 };
    this.#newer.set(key, window);
    return window;
  }
}
