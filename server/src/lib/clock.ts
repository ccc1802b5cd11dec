/**
 * Milliseconds since an arbitrary moment; only differences are meaningful. An argument, so that tests can advance it.
 */
export interface Clock {
  now(): number;
}

/** Never jumps, unlike the wall clock. */
export const monotonicClock: Clock = { now: () => performance.now() };
