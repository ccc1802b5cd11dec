import { AppError } from '../lib/app-error.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import { deferred, Batch, isDeferred, type Sending } from './batch.ts';
import type { BatchableWrite } from './batchable.ts';
import type { BatchedPoolOptions, BatchLoads, Send } from './batched-pool.ts';
import { isFaultOfCalls } from './errors.ts';
import type { Pool } from './pool.ts';
import type { PositionRow } from './position.ts';
import type { RowLocks } from './row-locks.ts';
import { forCalls, type Queryable } from './statement.ts';

/** A call in a batch of several kinds. */
interface AnyCall {
  readonly kind: Kind;
  /** `deferred` until it was executed. */
  readonly result: unknown;
}

/** Stores its result, whose type depends on the kind. */
interface KindCall<Call, Result> extends AnyCall {
  readonly call: Call;
  result: Result | typeof deferred;
}

/** Sends calls of one kind, and stores their results in them. */
interface Kind {
  readonly rowOf: (call: AnyCall) => string | undefined;
  readonly one: (db: Queryable, call: AnyCall) => Promise<void>;
  readonly many: (db: Queryable, calls: readonly AnyCall[]) => Promise<void>;
}

type Position = PositionRow | undefined;

export interface GroupCommitOptions extends BatchedPoolOptions {
  /** Maximum of deferred writes that wait for their row at the same time, each on a connection. */
  readonly maxDeferred: number;
  /** Locks the rows of all calls first, in a statement of its own: those of `keyOf`, which every kind must have. */
  readonly locks?: RowLocks | undefined;
}

/**
 * Executes the writes of one event-loop turn, of all kinds, in one transaction: one WAL flush and one position for all. One statement per
 * kind, in the order in which kinds were opened; begin, statements, commit and position are sent in one packet. Fails and recovers as
 * `Batch` does. A write whose row stays locked until its deadline, or that is queued behind such writes, ends with `statement_timeout` or
 * `pool_exhausted`.
 *
 * With `locks`, the first statement locks the rows of the calls, so the snapshots of the others begin after the locks. It skips rows locked
 * by other transactions: their calls are deferred, and all calls for one such row wait for its lock in a transaction of their own.
 */
export class GroupCommit implements BatchLoads {
  readonly role = 'write';
  /** For observers of batches; reads have a batch per kind. */
  readonly #name: string;
  readonly #pool: Pick<Pool<'write'>, 'queryThen'>;
  readonly #options: GroupCommitOptions;
  readonly #batch: Batch<AnyCall, Position>;
  readonly #kinds: Kind[] = [];
  readonly #deferred: Gate;

  constructor(pool: Pick<Pool<'write'>, 'queryThen'>, options: GroupCommitOptions) {
    const { limits, clock, turn, pressure, observer, traces, locks } = options;
    const name = locks?.name ?? 'writes';
    this.#name = name;
    this.#pool = pool;
    this.#options = options;
    this.#deferred = new Gate(options.maxDeferred, limits.maxWaiting);
    this.#batch = new Batch<AnyCall, Position>({
      ...limits,
      clock,
      turn,
      pressure,
      isInterruptible: false,
      holdBy: (call) => call.kind.rowOf(call),
      trace: traces?.ofBatches(name, this.role),
      onSent: observer && ((size, waitMs) => observer.batchSent({ pool: this.role, name, size, waitMs })),
      isFaultOfCalls,
      one: async (call, sending) => this.#one(call, sending),
      many: async (calls, sending) => this.#many(calls, sending),
      rest: async (calls, sending) => this.#restInTurn(calls, sending),
      restsTogether: locks !== undefined,
    });
  }

  /** Waiting calls, and running transactions. */
  get loads(): BatchLoads['loads'] {
    return [{ name: this.#name, ...this.#batch.load }];
  }

  open<Call, Result>(wanted: BatchableWrite<Call, Result>): Send<Call, Result> {
    const kind: Kind = kindOf(wanted);
    this.#kinds.push(kind);
    return async (call, signal, requester, deadline) => {
      const mine: KindCall<Call, Result> = { kind, call, result: deferred };
      try {
        const position = await this.#batch.call(mine, signal, requester, deadline);
        if (isDeferred(mine.result)) throw new Error('a write ended without its result');
        return { result: mine.result, position };
      } catch (error) {
        throw lateOutcome(error);
      }
    };
  }

  /** With batching, like several calls: a write that would wait for a lock is deferred, and waits where it does not delay others. */
  async #one(call: AnyCall, sending: Sending): Promise<Position | typeof deferred> {
    if (this.#options.limits.maxSize === 1) return (await this.#rest([call], sending))[0];
    return (await this.#many([call], sending))[0];
  }

  async #many(calls: readonly AnyCall[], sending: Sending): Promise<readonly (Position | typeof deferred)[]> {
    const { locks } = this.#options;
    if (locks !== undefined) return await this.#locked(locks.free, calls, sending);
    const groups = this.#groups(calls);
    const { after } = await this.#pool.queryThen(
      async (db) => {
        sending.onLeft();
        await Promise.all(groups.map(async ({ kind, mine }) => kind.many(forCalls(db, mine.length), mine)));
      },
      { ...this.#limitsOf(sending), isTransaction: groups.length > 1 },
    );
    return calls.map(({ result }) => (isDeferred(result) ? deferred : after?.[0]));
  }

  /** Locks the rows, then executes the calls whose row is locked. */
  async #locked(
    lock: RowLocks['free'],
    calls: readonly AnyCall[],
    sending: Sending,
  ): Promise<readonly (Position | typeof deferred)[]> {
    const groups = this.#groups(calls);
    const rows = [...new Set(calls.map((call) => rowOf(call)))];
    const { result: held, after } = await this.#pool.queryThen(
      async (db) => {
        sending.onLeft();
        const [[locked]] = await Promise.all([
          db.query(lock, [rows]),
          ...groups.map(async ({ kind, mine }) => kind.many(forCalls(db, mine.length), mine)),
        ]);
        return new Set(locked?.held);
      },
      { ...this.#limitsOf(sending), isTransaction: true },
    );
    return calls.map((call) => (held.has(rowOf(call)) || isDeferred(call.result) ? deferred : after?.[0]));
  }

  #groups(calls: readonly AnyCall[]) {
    return this.#kinds
      .map((kind) => ({ kind, mine: calls.filter((call) => call.kind === kind) }))
      .filter(({ mine }) => mine.length > 0);
  }

  /** Waits for locked rows must not occupy all connections. */
  async #restInTurn(calls: readonly AnyCall[], sending: Sending): Promise<readonly (Position | typeof deferred)[]> {
    const { timeoutMs, signal } = this.#limitsOf(sending);
    try {
      await this.#deferred.enter(timeoutMs, signal);
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    }
    try {
      return await this.#rest(calls, sending);
    } finally {
      this.#deferred.leave();
    }
  }

  async #rest(calls: readonly AnyCall[], sending: Sending): Promise<readonly (Position | typeof deferred)[]> {
    const { locks } = this.#options;
    if (locks !== undefined) return await this.#locked(locks.waiting, calls, sending);
    const send = async (db: Queryable): Promise<void> => {
      sending.onLeft();
      await Promise.all(calls.map(async (call) => call.kind.one(db, call)));
    };
    const { after } = await this.#pool.queryThen(send, this.#limitsOf(sending));
    return calls.map(() => after?.[0]);
  }

  #limitsOf({ interrupt: signal, deadline, requester }: Sending) {
    const { clock, position: behind } = this.#options;
    return { behind, timeoutMs: Math.max(0, deadline - clock.now()), signal, requester };
  }
}

function rowOf(call: AnyCall): string {
  return call.kind.rowOf(call) ?? '';
}

/** Of a sent call that the batch has answered instead of the server. */
function lateOutcome(error: unknown): unknown {
  const isLate = error instanceof AppError && error.code === 'statement_timeout' && error.cause === undefined;
  return isLate ? new AppError('outcome_unknown') : error;
}

function kindOf<Call, Result>(wanted: BatchableWrite<Call, Result>): Kind {
  const alone = wanted.alone ?? (wanted.keyOf === undefined ? wanted.one : undefined);
  const isMine = (call: AnyCall): call is KindCall<Call, Result> => call.kind === kind;
  const kind: Kind = {
    rowOf: (call) => (isMine(call) ? wanted.keyOf?.(call.call) : undefined),
    async one(db, call) {
      if (isMine(call)) call.result = await wanted.one(db, call.call);
    },
    async many(db, calls) {
      const mine = calls.filter(isMine);
      const [only] = mine;
      if (mine.length === 1 && only !== undefined && alone !== undefined) {
        only.result = await alone(db, only.call);
        return;
      }
      const results = await wanted.many(
        db,
        mine.map(({ call }) => call),
      );
      if (results.length !== mine.length)
        throw new Error('a batched write returned a different number of results than calls');
      for (const [index, call] of mine.entries()) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one for each; undefined is a result, too.
        call.result = results[index] as Result | typeof deferred;
      }
    },
  };
  return kind;
}
