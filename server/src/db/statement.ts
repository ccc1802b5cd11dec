import type { QueryResultRow } from 'pg';

import type { Lifetime } from '../lib/lifetime.ts';

/**
 * One SQL text with a name, declared once as a constant. PostgreSQL parses and plans it once per connection and
 * knows it by the name. `Values` are the parameters in order, `Row` is a row of the result.
 */
export interface Statement<Row extends QueryResultRow, Values extends readonly unknown[]> {
  readonly name: string;
  readonly text: string;
  /** How many calls it makes; set by batches, for the observer. */
  readonly calls?: number;
  /** Never set: holds the types. */
  readonly types?: { readonly row: Row; readonly values: Values };
}

/** Types of the result and the parameters first: `statement<User, [id: string]>('users.find', 'select …')`. */
export function statement<Row extends QueryResultRow = never, Values extends readonly unknown[] = []>(
  name: string,
  text: string,
): Statement<Row, Values> {
  return { name, text };
}

/** What a statement can be sent to: a pool, or a transaction. Rejects as `Pool` says. */
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
