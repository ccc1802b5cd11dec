import { AppError } from '../lib/app-error.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import { deferred, Batch, isDeferred, type Sending } from './batch.ts';
import type { BatchableWrite } from './batchable.ts';
import type { BatchedPoolOptions, BatchLoads, Send } from './batched-pool.ts';
import { isFaultOfCalls } from './errors.ts';
import type { Pool } from './pool.ts';
import type { PositionRow } from './position.ts';
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

/** The name for observers of batches; reads have a batch per kind. */
const name = 'writes';

type Position = PositionRow | undefined;

export interface GroupCommitOptions extends BatchedPoolOptions {
  /** Maximum of deferred writes that wait for their row at the same time, each on a connection. */
  readonly maxDeferred: number;
}

/**
 * Executes the writes of one event-loop turn, of all kinds, in one transaction: one WAL flush and one position for all. One statement per
 * kind, in the order in which kinds were opened; begin, statements, commit and position are sent in one packet. Fails and recovers as
 * `Batch` does. A write whose row stays locked until its deadline, or that is queued behind such writes, ends with `statement_timeout` or
 * `pool_exhausted`.
 */
export class GroupCommit implements BatchLoads {
  readonly role = 'write';
  readonly #pool: Pick<Pool<'write'>, 'queryThen'>;
  readonly #options: GroupCommitOptions;
  readonly #batch: Batch<AnyCall, Position>;
  readonly #kinds: Kind[] = [];
  readonly #deferred: Gate;

  constructor(pool: Pick<Pool<'write'>, 'queryThen'>, options: GroupCommitOptions) {
    const { limits, clock, turn, pressure, observer, traces } = options;
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
      rest: async (call, sending) => this.#restInTurn(call, sending),
    });
  }

  /** Waiting calls, and running transactions. */
  get loads(): BatchLoads['loads'] {
    return [{ name, ...this.#batch.load }];
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
    if (this.#options.limits.maxSize === 1) return await this.#rest(call, sending);
    return (await this.#many([call], sending))[0];
  }

  async #many(calls: readonly AnyCall[], sending: Sending): Promise<readonly (Position | typeof deferred)[]> {
    const groups = this.#kinds
      .map((kind) => ({ kind, mine: calls.filter((call) => call.kind === kind) }))
      .filter(({ mine }) => mine.length > 0);
    const { after } = await this.#pool.queryThen(
      async (db) => {
        sending.onLeft();
        await Promise.all(groups.map(async ({ kind, mine }) => kind.many(forCalls(db, mine.length), mine)));
      },
      { ...this.#limitsOf(sending), isTransaction: groups.length > 1 },
    );
    return calls.map(({ result }) => (isDeferred(result) ? deferred : after?.[0]));
  }

  /** Waits for locked rows must not occupy all connections. */
  async #restInTurn(call: AnyCall, sending: Sending): Promise<Position> {
    const { timeoutMs, signal } = this.#limitsOf(sending);
    try {
      await this.#deferred.enter(timeoutMs, signal);
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    }
    try {
      return await this.#rest(call, sending);
    } finally {
      this.#deferred.leave();
    }
  }

  async #rest(call: AnyCall, sending: Sending): Promise<Position> {
    const send = async (db: Queryable): Promise<void> => {
      sending.onLeft();
      await call.kind.one(db, call);
    };
    const { after } = await this.#pool.queryThen(send, this.#limitsOf(sending));
    return after?.[0];
  }

  #limitsOf({ interrupt: signal, deadline, requester }: Sending) {
    const { clock, position: behind } = this.#options;
    return { behind, timeoutMs: Math.max(0, deadline - clock.now()), signal, requester };
  }
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
