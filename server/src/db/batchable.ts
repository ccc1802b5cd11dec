import type { deferred } from './batch.ts';
import type { Queryable } from './statement.ts';

/**
 * One kind of call, declared twice: for one call, and for many in one statement over arrays. Both give the same
 * results. Each sends exactly one statement, synchronously.
 */
interface Batchable<Call, Result, Left> {
  readonly name: string;
  readonly one: (db: Queryable, call: Call) => Promise<Result>;
  readonly many: (db: Queryable, calls: readonly Call[]) => Promise<readonly (Result | Left)[]>;
}

/** Calls with the same key share one entry in the batch and its result. */
export interface BatchableRead<Call, Result> extends Batchable<Call, Result, never> {
  /** The maximum size of a batch, if results are so large that the general limit would take too much memory. */
  readonly maxSize?: number;
  readonly keyOf: (call: Call) => string;
  /** Whether the primary should be queried as well, because the standby may lack newer data. */
  readonly isDoubtful?: (result: Result) => boolean;
  /** Reads the primary, and a standby only while the primary is unavailable. For what must not be stale. */
  readonly isPrimaryFirst?: boolean;
}

/**
 * A multi-row write uses `skip locked` and returns `deferred` for rows locked by another transaction. So no batch waits
 * for a lock, and two batches cannot deadlock. Rows that do not exist are recognised without a further statement.
 */
export interface BatchableWrite<Call, Result> extends Batchable<Call, Result, typeof deferred> {
  /**
   * The row that a call writes, unique among all kinds; undefined when calls cannot touch the same row or wait for a
   * lock. While a batch with a row is in flight, further calls for it wait and are sent together. Calls for one row in
   * one batch apply in order; when the row is locked, all of them are `deferred`.
   */
  readonly keyOf?: (call: Call) => string;
  /**
   * The only call of its kind in a batch, in a cheaper statement than that of `many`, with the same results. Default: `one` without
   * `keyOf`, else `many`.
   */
  readonly alone?: (db: Queryable, call: Call) => Promise<Result | typeof deferred>;
}
