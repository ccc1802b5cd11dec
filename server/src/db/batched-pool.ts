import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Turn } from '../lib/turn.ts';
import { Batch, type BatchLimits, type Sending } from './batch.ts';
import type { BatchableRead } from './batchable.ts';
import type { Requester } from './caller.ts';
import type { StatementTraces } from '../telemetry/statement-traces.ts';
import { isFaultOfCalls } from './errors.ts';
import type { DbObserver } from './observer.ts';
import type { Pool, Role } from './pool.ts';
import type { PositionRow } from './position.ts';
import { forCalls, type Queryable, type Statement } from './statement.ts';

/** A result, and the server's position right after it; undefined when it was not requested, or is unknown. */
export interface Positioned<Result> {
  readonly result: Result;
  readonly position: PositionRow | undefined;
}

/** Executes one call until the deadline, or within the time limit of calls. Rejects as `Batch` does. */
export type Send<Call, Result> = (
  call: Call,
  signal: Lifetime,
  requester?: Requester,
  deadline?: number,
) => Promise<Positioned<Result>>;

export interface BatchedPoolOptions {
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly pressure?: (() => number) | undefined;
  /** The statement for this server's position. */
  readonly position: Statement<PositionRow, []>;
  readonly observer?: DbObserver | undefined;
  readonly traces?: StatementTraces | undefined;
}

/** Waiting and running calls by kind. */
export interface BatchLoads {
  readonly role: Role;
  readonly loads: readonly { readonly name: string; readonly waiting: number; readonly inFlight: number }[];
}

type AnyBatch = Pick<Batch<unknown, unknown>, 'load' | 'rejectAll'>;

/** A pool that sends reads in batches, one batch per kind of call. */
export class BatchedPool implements BatchLoads {
  readonly #pool: Pick<Pool, 'role' | 'queryThen'>;
  readonly #options: BatchedPoolOptions;
  readonly #batches: { readonly name: string; readonly batch: AnyBatch }[] = [];

  constructor(pool: Pick<Pool, 'role' | 'query' | 'queryThen'>, options: BatchedPoolOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get role(): Role {
    return this.#pool.role;
  }

  /** By kind of call: waiting calls, and running statements. */
  get loads(): BatchLoads['loads'] {
    return this.#batches.map(({ name, batch }) => ({ name, ...batch.load }));
  }

  /** Opens a batch for a kind of call. `withPosition` adds a small statement per batch, in the same round trip. */
  open<Call, Result>(
    kind: BatchableRead<Call, Result>,
    { withPosition }: { readonly withPosition: boolean },
  ): Send<Call, Result> {
    const { limits, clock, turn, pressure, observer, traces } = this.#options;
    const { role: pool } = this.#pool;
    const { name } = kind;
    const one = async (call: Call, sending: Sending): Promise<Positioned<Result>> =>
      this.#send(async (db) => kind.one(db, call), sending, withPosition);
    const batch = new Batch<Call, Positioned<Result>>({
      ...limits,
      maxSize: Math.min(limits.maxSize, kind.maxSize ?? limits.maxSize),
      clock,
      turn,
      pressure,
      shareBy: kind.keyOf,
      isInterruptible: true,
      trace: traces?.ofBatches(name, pool),
      onSent: observer && ((size, waitMs) => observer.batchSent({ pool, name, size, waitMs })),
      isFaultOfCalls,
      one,
      many: async (calls, sending) => {
        const send = async (db: Queryable): Promise<readonly Result[]> => kind.many(forCalls(db, calls.length), calls);
        const { result, position } = await this.#send(send, sending, withPosition);
        return result.map((each) => ({ result: each, position }));
      },
      rest: async (calls, sending) => Promise.all(calls.map(async (call) => one(call, sending))),
    });
    this.#batches.push({ name: kind.name, batch });
    return (call, signal, requester, deadline) => batch.call(call, signal, requester, deadline);
  }

  /** Rejects every call at once: the server is known to be unavailable. */
  rejectAll(reason: Error): void {
    for (const { batch } of this.#batches) batch.rejectAll(reason);
  }

  async #send<Result>(
    send: (db: Queryable) => Promise<Result>,
    { interrupt: signal, deadline, requester, onLeft }: Sending,
    withPosition: boolean,
  ): Promise<Positioned<Result>> {
    const { clock, position } = this.#options;
    const behind = withPosition ? position : undefined;
    const timeoutMs = Math.max(0, deadline - clock.now());
    const leave = async (db: Queryable): Promise<Result> => {
      onLeft();
      return await send(db);
    };
    const { result, after } = await this.#pool.queryThen(leave, { behind, isRead: true, timeoutMs, signal, requester });
    return { result, position: after?.[0] };
  }
}
