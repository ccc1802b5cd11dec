import { AppError } from '../lib/app-error.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import type { Caller } from './caller.ts';
import type { Pool } from './pool.ts';
import { primaryPosition } from './position.ts';
import type { Queryable } from './statement.ts';
import { seeWritten, type Write } from './writes.ts';

export interface SeparateWriteLimits {
  /** Each takes a connection, also while it waits for a lock. */
  readonly maxAtOnce: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

/** Writes that may wait for locks, which would hold up a batch: each in its own transaction. */
export class SeparateWrites {
  readonly #pool: Pick<Pool<'write'>, 'queryThen'>;
  readonly #gate: Gate;
  readonly #maxWaitMs: number;

  constructor(pool: Pick<Pool<'write'>, 'queryThen'>, { maxAtOnce, maxWaiting, maxWaitMs }: SeparateWriteLimits) {
    this.#pool = pool;
    this.#gate = new Gate(maxAtOnce, maxWaiting);
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * `send` sends its statements synchronously. They are one transaction, and each has a snapshot that begins after the locks of those before
   * it. Rejects as `Pool` does.
   */
  prepare<Call, Result>(send: (db: Queryable, call: Call) => Promise<Result>): Write<Call, Result> {
    return async (call, caller) => {
      await this.#enter(caller);
      try {
        const options = { behind: primaryPosition, isTransaction: true, signal: caller.lifetime, requester: caller };
        const { result, after } = await this.#pool.queryThen(async (db) => send(db, call), options);
        seeWritten(caller, after?.[0]);
        return result;
      } finally {
        this.#gate.leave();
      }
    };
  }

  async #enter({ lifetime }: Caller): Promise<void> {
    try {
      await this.#gate.enter(this.#maxWaitMs, lifetime);
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    }
  }
}
