import type { Statement } from './statement.ts';

/** Rows that exist and are locked by another transaction, so that they were not locked. */
interface Locked {
  readonly held: readonly string[];
}

/** Statements that lock rows by id, in the order of ids, so that two transactions cannot deadlock. */
export interface RowLocks {
  /** For observers of batches. */
  readonly name: string;
  /** Skips rows locked by another transaction, and returns them. */
  readonly free: Statement<Locked, [ids: readonly string[]]>;
  /** Waits for all locks. */
  readonly waiting: Statement<Locked, [ids: readonly string[]]>;
}
