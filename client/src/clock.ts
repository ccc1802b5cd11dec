/** Time, as an argument: tests and simulations bring their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(task: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (task, delayMs) => setTimeout(task, delayMs),
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only what `setTimeout` above returned comes back.
  clearTimeout: (timer) => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
};

/** The delay before attempt `attempt`, from 1: up to `baseMs`, doubled each time up to `maxMs`, with jitter on half of it. */
export function backOffMs(attempt: number, baseMs: number, maxMs: number, random: () => number): number {
  return Math.round(Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30)) * (0.5 + random() / 2));
}
