import type { QueryResultRow } from 'pg';

import type { Lifetime } from '../lib/lifetime.ts';

/**
 * One named SQL text, declared once as a constant. PostgreSQL parses and plans it once per connection. `Values` are the
 * parameters in order, `Row` is a row of the result.
 */
export interface Statement<Row extends QueryResultRow, Values extends readonly unknown[]> {
  readonly name: string;
  readonly text: string;
  /** The number of its calls; set by batches, for the observer. */
  readonly calls?: number;
  /** Never set: carries the types. */
  readonly types?: { readonly row: Row; readonly values: Values };
}

/** The types of result and parameters first: `statement<User, [id: string]>('users.find', 'select …')`. */
export function statement<Row extends QueryResultRow = never, Values extends readonly unknown[] = []>(
  name: string,
  text: string,
): Statement<Row, Values> {
  return { name, text };
}

/** Runs statements: a pool, or a transaction. Rejects as `Pool` does. */
export interface Queryable {
  query<Row extends QueryResultRow, Values extends readonly unknown[]>(
    wanted: Statement<Row, Values>,
    values: Values,
    signal?: Lifetime,
  ): Promise<Row[]>;
}

/** The same, for statements that make several calls at once. */
export function forCalls(db: Queryable, calls: number): Queryable {
  return { query: (wanted, values, signal) => db.query({ ...wanted, calls }, values, signal) };
}
