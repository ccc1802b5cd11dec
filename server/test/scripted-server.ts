import type { QueryResultRow } from 'pg';

import { BatchedPool } from '../src/db/batched-pool.ts';
import type { Identity } from '../src/db/identity.ts';
import { replayPosition, type Position, type PositionRow } from '../src/db/position.ts';
import type { QueryThenOptions } from '../src/db/pool.ts';
import type { Queryable, Statement } from '../src/db/statement.ts';
import type { Clock } from '../src/lib/clock.ts';
import { Turn } from '../src/lib/turn.ts';
import { AppError } from '../src/lib/app-error.ts';

const limits = { maxInFlight: 2, maxSize: 10, maxWaiting: 100, maxWaitMs: 5_000 };

/** A server that is what the test says: a pool to it, whose statements answer from here. */
export class ScriptedServer {
  readonly role = 'read';
  lsn = 0n;
  timeline = 1;
  incarnation = 'first start';
  systemIdentifier = '7';
  startedAt = 'first start';
  inRecovery = true;
  /** `silent` takes statements and says nothing. */
  health: 'well' | 'away' | 'silent' = 'well';
  /** What every statement that does not ask for positions fails with. */
  failure: Error | undefined;
  /** Names of the statements that came. */
  readonly asked: string[] = [];
  /** How long each batch may take. */
  readonly timeoutsMs: (number | undefined)[] = [];
  readonly #name: string;

  constructor(name: string, changes: Partial<Pick<ScriptedServer, 'inRecovery' | 'lsn' | 'startedAt'>> = {}) {
    this.#name = name;
    Object.assign(this, changes);
  }

  get position(): Position {
    return { timeline: this.timeline, lsn: this.lsn };
  }

  batches(clock: Clock = performance): BatchedPool {
    return new BatchedPool(this, { limits, clock, turn: new Turn(performance), position: replayPosition });
  }

  async query<Row extends QueryResultRow>(
    wanted: Statement<Row, readonly unknown[]>,
    _values: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<Row[]> {
    this.asked.push(wanted.name);
    if (this.health === 'away') throw new AppError('database_unavailable');
    if (this.health === 'silent') return await abortOf(signal);
    if (this.failure !== undefined && !wanted.name.startsWith('position.')) throw this.failure;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The tests ask for positions and for these names.
    return [{ ...this.#row(), name: this.#name }] as unknown as Row[];
  }

  async queryThen<T, After extends QueryResultRow>(
    send: (db: Queryable) => Promise<T>,
    { behind, signal, timeoutMs }: QueryThenOptions<After>,
  ): Promise<{ readonly result: T; readonly after: After[] | undefined }> {
    this.timeoutsMs.push(timeoutMs);
    const result = await send({ query: async (wanted, values) => this.query(wanted, values, signal) });
    return { result, after: behind && (await this.query(behind, [], signal)) };
  }

  #row(): PositionRow & Identity {
    const { timeline, incarnation, systemIdentifier, startedAt, inRecovery } = this;
    return { lsn: String(this.lsn), timeline, incarnation, systemIdentifier, startedAt, inRecovery };
  }
}

async function abortOf(signal: AbortSignal | undefined): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await promise;
}
