import { backOffMs } from '../lib/backoff.ts';

/** Crashes without a minute of service in between after which a worker is broken, not unlucky. */
const maxCrashes = 5;
/** A worker that has served for this long is forgiven its earlier crashes. */
const forgiveAfterMs = 60_000;
/** A worker that always crashes costs one start of a process per this time. */
const delays = { baseMs: 100, maxMs: 30_000 };

/** Counts the crashes of one worker, and says how long to wait before each restart. */
export class CrashBackoff {
  readonly #random: () => number;
  #crashes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * Records a crash after `servedMs` of service, 0 when it did not serve. Returns the milliseconds to wait before the restart:
   * none for the first crash, then twice as long each time, 30 s at most, half of it at random.
   */
  crashed(servedMs: number): number {
    this.#crashes = servedMs >= forgiveAfterMs ? 1 : this.#crashes + 1;
    return this.#crashes === 1 ? 0 : backOffMs({ ...delays, random: this.#random }, this.#crashes - 1);
  }

  /** Whether the newest crash was one too many. */
  get isSpent(): boolean {
    return this.#crashes > maxCrashes;
  }
}
