import { backOffMs } from '../lib/backoff.ts';

/** More crashes than this without a minute of service in between mean a permanent fault. */
const maxCrashes = 5;
/** After this long in service, earlier crashes no longer count. */
const forgiveAfterMs = 60_000;
/** Limits the cost of a worker that always crashes to one process start per 30 s. */
const delays = { baseMs: 100, maxMs: 30_000 };

/** Counts the crashes of one worker, and computes the delay before each restart. */
export class CrashBackoff {
  readonly #random: () => number;
  #crashes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * Records a crash after `servedMs` of service (0 if it never served). Returns the delay before the restart in
   * milliseconds: none for the first crash, then doubling up to 30 s, with jitter on half of it.
   */
  crashed(servedMs: number): number {
    this.#crashes = servedMs >= forgiveAfterMs ? 1 : this.#crashes + 1;
    return this.#crashes === 1 ? 0 : backOffMs({ ...delays, random: this.#random }, this.#crashes - 1);
  }

  /** Whether the number of crashes exceeds the limit. */
  get isSpent(): boolean {
    return this.#crashes > maxCrashes;
  }
}
