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

/** All workers of all nodes try to get the lock; the numbers have no meaning. */
const lockKeys = { expired: 7_219_034, erasures: 7_219_035 } as const;

const tryLock = statement<{ readonly locked: boolean }, [key: number]>(
  'sweep.lock',
  'select pg_try_advisory_xact_lock($1) as locked',
);

const line = {
  level: 'error',
  key: 'sweep',
  one: 'expired or erased rows were not removed',
  many: 'expired or erased rows were not removed',
} as const;

interface SweeperServices {
  readonly random: () => number;
  readonly log: Log;
  /** Sweepers of different work run at the same time. */
  readonly work?: keyof typeof lockKeys;
}

/**
 * Removes what has expired or was erased, once a minute: sessions, keys, events. Each step is a transaction under an advisory lock, so one worker sweeps
 * at a time; the others try again a minute later. An unavailable primary is left to the next round.
 */
export class Sweeper {
  readonly #pool: Pool<'write'>;
  readonly #steps: readonly SweepStep[];
  readonly #random: () => number;
  readonly #failures: RepeatLog;
  #timer: NodeJS.Timeout | undefined;
  readonly #lockKey: number;
  #running: Promise<void> | undefined;
  #wakes = 0;
  #isClosed = false;

  constructor(pool: Pool<'write'>, steps: readonly SweepStep[], { random, log, work = 'expired' }: SweeperServices) {
    this.#pool = pool;
    this.#steps = steps;
    this.#random = random;
    this.#lockKey = lockKeys[work];
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

  /** Begins a round now, or another one after that which runs. */
  wake(): void {
    this.#wakes += 1;
    if (this.#running === undefined) this.#schedule(0);
  }

  /** Resolves when the current step has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#failures.close();
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#round();
    }, inMs).unref();
  }

  async #round(): Promise<void> {
    const wakes = this.#wakes;
    await this.sweep();
    this.#running = undefined;
    this.#schedule(this.#wakes > wakes ? 0 : everyMs * (0.9 + this.#random() / 5));
  }

  /** Resolves with whether there may be more to remove. */
  async #run(step: SweepStep): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      const removed = await this.#pool.transaction(async (tx) => {
        const [lock] = await tx.query(tryLock, [this.#lockKey]);
        return lock?.locked === true ? await step(tx) : 0;
      });
      return removed > 0;
    } catch (error) {
      if (!(error instanceof AppError)) this.#failures.add(line, () => ({ failure: describeFailure(error) }));
      return false;
    }
  }
}
