import { AppError } from '../lib/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import { describeFailure } from './errors.ts';
import type { Pool } from './pool.ts';
import { statement, type Queryable } from './statement.ts';

/** Deletes some expired rows, at most as many as one transaction should, and resolves with their number. */
export type SweepStep = (tx: Queryable) => Promise<number>;

/** Deletes expired rows in steps of this size: one step locks and logs little. */
export const sweepSize = 1_000;

const everyMs = 60_000;

/** All workers of all nodes try to get the lock; the number has no meaning. */
const lockKey = 7_219_034;

const tryLock = statement<{ readonly locked: boolean }>(
  'sweep.lock',
  `select pg_try_advisory_xact_lock(${lockKey}) as locked`,
);

const line = {
  level: 'error',
  key: 'sweep',
  one: 'expired rows were not removed',
  many: 'expired rows were not removed',
} as const;

interface SweeperServices {
  readonly random: () => number;
  readonly log: Log;
}

/**
 * Removes what has expired, once a minute: sessions, keys, events. Each step is a transaction under an advisory lock, so one worker sweeps
 * at a time; the others try again a minute later. An unavailable primary is left to the next round.
 */
export class Sweeper {
  readonly #pool: Pool<'write'>;
  readonly #steps: readonly SweepStep[];
  readonly #random: () => number;
  readonly #failures: RepeatLog;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(pool: Pool<'write'>, steps: readonly SweepStep[], { random, log }: SweeperServices) {
    this.#pool = pool;
    this.#steps = steps;
    this.#random = random;
    this.#failures = new RepeatLog(log);
    this.#schedule(random() * everyMs);
  }

  /** One round: each step until it finds nothing. Never rejects. */
  async sweep(): Promise<void> {
    for (const step of this.#steps) {
      let mayFindMore = true;
      while (mayFindMore) mayFindMore = await this.#run(step);
    }
  }

  /** Resolves when the current step has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#failures.close();
  }

  #schedule(inMs: number): void {
    const sweep = async (): Promise<void> => {
      await this.sweep();
      if (!this.#isClosed) this.#schedule(everyMs * (0.9 + this.#random() / 5));
    };
    this.#timer = setTimeout(() => {
      this.#running = sweep();
    }, inMs).unref();
  }

  /** Resolves with whether there may be more to remove. */
  async #run(step: SweepStep): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      const removed = await this.#pool.transaction(async (tx) => {
        const [lock] = await tx.query(tryLock, []);
        return lock?.locked === true ? await step(tx) : 0;
      });
      return removed > 0;
    } catch (error) {
      if (!(error instanceof AppError)) this.#failures.add(line, () => ({ failure: describeFailure(error) }));
      return false;
    }
  }
}
