import type { QueryResultRow } from 'pg';

import type { Connection, RunLimits } from './connection.ts';
import { statement, type Queryable, type Statement } from './statement.ts';

const begin = statement('transaction.begin', 'begin');
const commit = statement('transaction.commit', 'commit');
const rollback = statement('transaction.rollback', 'rollback');

/** Sends statements over a connection; `check` runs before each, and throws when it must not be sent. */
export function queryableOn(connection: Connection, limits: RunLimits, check?: () => void): Queryable {
  return {
    async query<Row extends QueryResultRow, Values extends readonly unknown[]>(
      wanted: Statement<Row, Values>,
      values: Values,
    ): Promise<Row[]> {
      check?.();
      return (await connection.run<Row>(wanted, values, limits)).rows;
    },
  };
}

/**
 * Sends begin, the statements that `send` sends synchronously, and commit, without waiting for answers. Rejects with
 * the first error after every statement has ended; then nothing is written.
 */
export async function sendTransaction<T>(
  connection: Connection,
  limits: RunLimits,
  send: (tx: Queryable) => Promise<T>,
): Promise<T> {
  let isSent = false;
  const tx = queryableOn(connection, limits, () => {
    if (isSent) throw new Error('a statement of a transaction came after its commit was sent');
  });
  const beginning = connection.run(begin, [], limits);
  const running = send(tx);
  isSent = true;
  // All of them, not only up to the first failure: the connection stays borrowed until each is answered.
  const outcomes = await Promise.allSettled([beginning, running, commitOn(connection, limits)]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return await running;
}

/** After a failed statement, PostgreSQL answers the commit with ROLLBACK. */
async function commitOn(connection: Connection, { timeoutMs, requester }: RunLimits): Promise<void> {
  const { command } = await connection.run(commit, [], { timeoutMs, requester });
  if (command !== 'COMMIT') throw new Error('a statement failed and its error was ignored: nothing was written');
}

/**
 * Runs `run` between begin and commit. `tx` throws after `run` has ended. An abort between two statements rolls back; a
 * running statement completes first.
 */
export async function runTransaction<T>(
  connection: Connection,
  limits: RunLimits,
  run: (tx: Queryable) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let over = false;
  const tx = queryableOn(connection, limits, () => {
    if (over) throw new Error('the transaction is over: its tx was used outside of the callback');
    signal?.throwIfAborted();
  });
  const { timeoutMs } = limits;
  await connection.run(begin, [], limits);
  try {
    const result = await run(tx);
    over = true;
    await commitOn(connection, limits);
    return result;
  } catch (error) {
    over = true;
    if (!connection.tainted) await connection.run(rollback, [], { timeoutMs }).catch(() => connection.taint());
    throw error;
  }
}
