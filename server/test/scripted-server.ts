import type { QueryResultRow } from 'pg';

import type { Lifetime } from '../src/lib/lifetime.ts';
import { BatchedPool } from '../src/db/batched-pool.ts';
import type { Endpoint } from '../src/db/endpoint.ts';
import { replayPosition, serverStatus, type Position, type ServerStatus } from '../src/db/position.ts';
import type { QueryThenOptions } from '../src/db/pool.ts';
import { Server } from '../src/db/server.ts';
import type { Queryable, Statement } from '../src/db/statement.ts';
import type { Clock } from '../src/lib/clock.ts';
import { Turn } from '../src/lib/turn.ts';
import { AppError } from '../src/lib/app-error.ts';

/** After this long without an answer, it counts as unavailable. */
const answerMs = 50;

const limits = { maxInFlight: 2, maxSize: 10, maxWaiting: 100, maxWaitMs: 5_000 };

/** A server controlled by the test: a pool to it, with scripted answers. */
export class ScriptedServer {
  readonly role = 'read';
  lsn = 0n;
  timeline = 1;
  incarnation = 'first start';
  systemIdentifier = '7';
  startedAt = 'first start';
  inRecovery = true;
  readOnly = true;
  /** `silent` accepts statements and does not answer. */
  health: 'well' | 'away' | 'silent' = 'well';
  /** The error of every statement except position queries. */
  failure: Error | undefined;
  /** Names of the received statements. */
  readonly asked: string[] = [];
  /** The deadline of each batch. */
  readonly timeoutsMs: (number | undefined)[] = [];
  readonly #name: string;

  constructor(
    name: string,
    changes: Partial<Pick<ScriptedServer, 'inRecovery' | 'readOnly' | 'lsn' | 'startedAt' | 'timeline'>> = {},
  ) {
    this.#name = name;
    Object.assign(this, changes);
  }

  get position(): Position {
    return { timeline: this.timeline, lsn: this.lsn };
  }

  /** As its watchers see it. */
  watched(): Server {
    const endpoint: Endpoint = { host: this.#name, port: 5433, user: 'test', database: 'test' };
    return new Server(endpoint, {
      ask: async () => {
        const [status] = await this.query(serverStatus, [], AbortSignal.timeout(answerMs));
        if (status === undefined) throw new Error('no answer');
        return status;
      },
      close: async () => undefined,
    });
  }

  batches(clock: Clock = performance): BatchedPool {
    return new BatchedPool(this, { limits, clock, turn: new Turn(performance), position: replayPosition });
  }

  async query<Row extends QueryResultRow>(
    wanted: Statement<Row, readonly unknown[]>,
    _values: readonly unknown[],
    signal?: Lifetime,
  ): Promise<Row[]> {
    this.asked.push(wanted.name);
    if (this.health === 'away') throw new AppError('database_unavailable');
    if (this.health === 'silent') return await abortOf(signal);
    if (this.failure !== undefined && !/^(position|server)\./u.test(wanted.name)) throw this.failure;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The tests query positions and these names.
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

  #row(): ServerStatus {
    const { timeline, incarnation, systemIdentifier, startedAt, inRecovery, readOnly } = this;
    const flushed = inRecovery ? null : String(this.lsn);
    return { lsn: String(this.lsn), flushed, timeline, incarnation, systemIdentifier, startedAt, inRecovery, readOnly };
  }
}

async function abortOf(signal: Lifetime | undefined): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await promise;
}
