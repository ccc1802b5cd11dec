import type { alone } from './batch.ts';
import type { Queryable } from './statement.ts';

/**
 * One kind of call, declared twice: for one call, and for many in one statement over arrays. Both give the same answers.
 * Each sends exactly one statement, before it waits for anything.
 */
interface Batchable<Call, Result, Left> {
  readonly name: string;
  readonly one: (db: Queryable, call: Call) => Promise<Result>;
  readonly many: (db: Queryable, calls: readonly Call[]) => Promise<readonly (Result | Left)[]>;
}

/** Calls with the same key get the same result from one place in the batch. */
export interface BatchableRead<Call, Result> extends Batchable<Call, Result, never> {
  /** Of one batch, where the answers are so large that the limit of all kinds is too much memory. */
  readonly maxSize?: number;
  readonly keyOf: (call: Call) => string;
  /** Whether the primary is to be asked for a second opinion, for callers whose standby may just not know yet. */
  readonly isDoubtful?: (result: Result) => boolean;
}

/**
 * A write of many locks with `skip locked` and answers `alone` for rows locked by another transaction, so that no batch ever
 * waits for a lock, and two of them cannot deadlock. Rows that it does not see are not there: they cost nothing more.
 */
export interface BatchableWrite<Call, Result> extends Batchable<Call, Result, typeof alone> {
  /**
   * The row that a call writes, among those of all kinds; undefined when calls cannot touch the same row, or wait for a lock. While a
   * batch with a row is in flight, further calls for it wait, and leave together. Calls for one row in one batch are made one
   * after the other, in their order; when the row is held, all of them are `alone`.
   */
  readonly keyOf?: (call: Call) => string;
}
