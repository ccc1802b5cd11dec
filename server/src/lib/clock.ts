/** Milliseconds since some fixed moment; only differences mean anything. An argument, so that tests can move it. */
export interface Clock {
  now(): number;
}

/** Never jumps, unlike the wall clock. */
export const monotonicClock: Clock = { now: () => performance.now() };
