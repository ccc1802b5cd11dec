import { DatabaseError } from 'pg';

import type { Clock } from '../lib/clock.ts';
import { Batch, isAlone, type BatchLimits } from './batch.ts';
import type { Batchable, StatementRunner } from './batchable.ts';
import type { Pool } from './pool.ts';
import type { PositionRow } from './position.ts';
import type { Statement } from './statement.ts';

/** A result, and where the server was right after it; undefined when that was not asked, or could not be learnt. */
export interface Positioned<Result> {
  readonly result: Result;
  readonly position: PositionRow | undefined;
}

/** Makes one call. Rejects as `Batch` does. */
export type Send<Call, Result> = (call: Call, signal: AbortSignal) => Promise<Positioned<Result>>;

export interface BatchedPoolOptions {
  readonly limits: BatchLimits;
  readonly clock: Clock;
  /** How this server tells its position. */
  readonly position: Statement<PositionRow, []>;
}

type AnyBatch = Pick<Batch<unknown, unknown>, 'load' | 'rejectAll'>;

/** A pool whose calls travel in batches, one batch per kind of call. */
export class BatchedPool {
  readonly #pool: Pick<Pool, 'role' | 'query' | 'queryThen'>;
  readonly #options: BatchedPoolOptions;
  readonly #batches: { readonly name: string; readonly batch: AnyBatch }[] = [];

  constructor(pool: Pick<Pool, 'role' | 'query' | 'queryThen'>, options: BatchedPoolOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** By kind of call: calls that wait, and statements that run. */
  get loads(): readonly { readonly name: string; readonly waiting: number; readonly inFlight: number }[] {
    return this.#batches.map(({ name, batch }) => ({ name, ...batch.load }));
  }

  /** Opens a batch for a kind of call; `withPosition` costs a second, tiny statement per batch, in the same round trip. */
  open<Call, Result>(
    kind: Batchable<Call, Result>,
    { withPosition, shareBy }: { readonly withPosition: boolean; readonly shareBy?: (call: Call) => string },
  ): Send<Call, Result> {
    const { limits, clock } = this.#options;
    const batch = new Batch<Call, Positioned<Result>>({
      ...limits,
      clock,
      shareBy,
      isInterruptible: this.#pool.role === 'read',
      isFaultOfCalls: (error) => error instanceof DatabaseError,
      one: async (call, interrupt) => {
        const run = this.#runner(withPosition, interrupt);
        const result = await kind.one(run, call);
        return { result, position: run.position };
      },
      many: async (calls, interrupt) => {
        const run = this.#runner(withPosition, interrupt);
        const results = await kind.many(run, calls);
        return results.map((result) => (isAlone(result) ? result : { result, position: run.position }));
      },
    });
    this.#batches.push({ name: kind.name, batch });
    return async (call, signal) => batch.call(call, signal);
  }

  /** Every call rejects with this at once: the server is known to be away. */
  rejectAll(reason: Error): void {
    for (const { batch } of this.#batches) batch.rejectAll(reason);
  }

  #runner(withPosition: boolean, signal: AbortSignal): StatementRunner & { position: PositionRow | undefined } {
    const pool = this.#pool;
    const then = withPosition ? this.#options.position : undefined;
    return {
      position: undefined,
      async query(wanted, values) {
        if (then === undefined) return await pool.query(wanted, values, signal);
        const { rows, after } = await pool.queryThen(wanted, values, then, signal);
        this.position = after?.[0];
        return rows;
      },
    };
  }
}
