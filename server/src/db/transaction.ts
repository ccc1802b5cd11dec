import type { QueryResultRow } from 'pg';

import type { Connection, RunLimits } from './connection.ts';
import { statement, type Queryable, type Statement } from './statement.ts';

const begin = statement('transaction.begin', 'begin');
const commit = statement('transaction.commit', 'commit');
const rollback = statement('transaction.rollback', 'rollback');

/**
 * Runs `run` between begin and commit. `tx` is over when `run` ends and throws after that. An abort between two
 * statements rolls back; a statement that runs is finished first.
 */
export async function runTransaction<T>(
  connection: Connection,
  limits: RunLimits,
  run: (tx: Queryable) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let over = false;
  const tx: Queryable = {
    async query<Row extends QueryResultRow, Values extends readonly unknown[]>(
      wanted: Statement<Row, Values>,
      values: Values,
    ): Promise<Row[]> {
      if (over) throw new Error('the transaction is over: its tx was used outside of the callback');
      signal?.throwIfAborted();
      return (await connection.run<Row>(wanted, values, limits)).rows;
    },
  };
  const { timeoutMs } = limits;
  await connection.run(begin, [], limits);
  try {
    const result = await run(tx);
    over = true;
    const { command } = await connection.run(commit, [], { timeoutMs });
    if (command !== 'COMMIT') throw new Error('a statement failed and its error was swallowed: nothing was written');
    return result;
  } catch (error) {
    over = true;
    if (!connection.spoilt) await connection.run(rollback, [], { timeoutMs }).catch(() => connection.spoil());
    throw error;
  }
}
