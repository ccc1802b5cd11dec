import type { alone } from './batch.ts';
import type { Statement } from './statement.ts';

/** Where a batchable sends its one statement. */
export interface StatementRunner {
  query<Row extends object, Values extends readonly unknown[]>(
    wanted: Statement<Row, Values>,
    values: Values,
  ): Promise<Row[]>;
}

/**
 * One kind of call, declared twice: for one call, and for many in one statement over arrays. Both give the same answers.
 * Each sends exactly one statement. A write of many locks with `skip locked` and answers `alone` for the rows that
 * somebody else holds, so that no batch ever waits for a lock, and two of them cannot deadlock.
 */
export interface Batchable<Call, Result> {
  readonly name: string;
  readonly one: (db: StatementRunner, call: Call) => Promise<Result>;
  readonly many: (db: StatementRunner, calls: readonly Call[]) => Promise<readonly (Result | typeof alone)[]>;
}

/** Calls with the same key get the same result from one place in the batch. */
export interface BatchableRead<Call, Result> extends Batchable<Call, Result> {
  readonly keyOf: (call: Call) => string;
  /** Whether the primary is to be asked for a second opinion, for callers whose standby may just not know yet. */
  readonly isDoubtful?: (result: Result) => boolean;
}

export interface BatchableWrite<Call, Result> extends Batchable<Call, Result> {
  /** Calls with the same key follow one another; undefined when calls cannot touch the same row. */
  readonly keyOf?: (call: Call) => string;
}
