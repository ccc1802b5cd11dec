import { AppError } from '../lib/app-error.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import { alone, Batch, isAlone } from './batch.ts';
import type { BatchableWrite } from './batchable.ts';
import type { Asker } from './caller.ts';
import type { BatchedPoolOptions, BatchLoads, Send } from './batched-pool.ts';
import { isFaultOfCalls } from './errors.ts';
import type { Pool, QueryThenOptions } from './pool.ts';
import type { PositionRow } from './position.ts';
import { forCalls, type Queryable } from './statement.ts';

/** A call in a batch of several kinds. */
interface AnyCall {
  readonly kind: Kind;
}

/** Its result is kept here: each kind has another type of it. */
interface KindCall<Call, Result> extends AnyCall {
  readonly call: Call;
  result: Result | typeof alone;
}

/** Sends calls of one kind, and tells which of them it left out. */
interface Kind {
  readonly one: (db: Queryable, call: AnyCall) => Promise<Outcome>;
  readonly many: (db: Queryable, calls: readonly AnyCall[]) => Promise<readonly Outcome[]>;
}

/** To those who look at batches; reads have a batch per kind. */
const name = 'writes';

type Outcome = 'done' | typeof alone;
type Position = PositionRow | undefined;

export interface GroupCommitOptions extends BatchedPoolOptions {
  /** Of the writes that were left out of their batch, so many wait for their row at once, each on a connection. */
  readonly maxAlone: number;
}

/**
 * The writes of one turn of the event loop, of all kinds, in one transaction: PostgreSQL flushes its log once for all of
 * them, and tells its position once. A statement per kind, in the order in which the kinds were opened; begin, statements,
 * commit and position travel in one packet. Fails and recovers as `Batch` does; a write whose row stays held for as long as a statement may
 * take, or that comes behind such ones, ends with `statement_timeout` or `pool_exhausted`.
 */
export class GroupCommit implements BatchLoads {
  readonly role = 'write';
  readonly #pool: Pool<'write'>;
  readonly #options: GroupCommitOptions;
  readonly #batch: Batch<AnyCall, Position>;
  readonly #kinds: Kind[] = [];
  readonly #alone: Gate;

  constructor(pool: Pool<'write'>, options: GroupCommitOptions) {
    const { limits, clock, turn, observer, traces } = options;
    this.#pool = pool;
    this.#options = options;
    this.#alone = new Gate(options.maxAlone, limits.maxWaiting);
    this.#batch = new Batch<AnyCall, Position>({
      ...limits,
      clock,
      turn,
      isInterruptible: false,
      trace: traces?.ofBatches(name, this.role),
      onSent: observer && ((size, waitMs) => observer.batchSent({ pool: this.role, name, size, waitMs })),
      isFaultOfCalls,
      one: async (call, signal, asker) => this.#one(call, signal, asker),
      many: async (calls, signal, asker) => this.#many(calls, signal, asker),
      rest: async (call, signal, asker) => this.#restInTurn(call, signal, asker),
    });
  }

  /** Calls that wait, and transactions that run. */
  get loads(): BatchLoads['loads'] {
    return [{ name, ...this.#batch.load }];
  }

  open<Call, Result>(wanted: BatchableWrite<Call, Result>): Send<Call, Result> {
    const kind: Kind = kindOf(wanted);
    this.#kinds.push(kind);
    return async (call, signal, asker) => {
      const mine: KindCall<Call, Result> = { kind, call, result: alone };
      const position = await this.#batch.call(mine, signal, asker);
      if (isAlone(mine.result)) throw new Error('a write ended without its result');
      return { result: mine.result, position };
    };
  }

  /** With batches, like several: what would wait for a lock is left out, and waits where it keeps nobody else waiting. */
  async #one(call: AnyCall, signal: AbortSignal, asker?: Asker): Promise<Position | typeof alone> {
    const { maxSize, maxWaitMs: timeoutMs } = this.#options.limits;
    if (maxSize === 1) return await this.#rest(call, { signal, asker, timeoutMs });
    return (await this.#many([call], signal, asker))[0];
  }

  async #many(
    calls: readonly AnyCall[],
    signal: AbortSignal,
    asker?: Asker,
  ): Promise<readonly (Position | typeof alone)[]> {
    const groups = this.#kinds
      .map((kind) => ({ kind, mine: calls.filter((call) => call.kind === kind) }))
      .filter(({ mine }) => mine.length > 0);
    const { result, after } = await this.#pool.queryThen(
      async (db) => Promise.all(groups.map(async ({ kind, mine }) => kind.many(forCalls(db, mine.length), mine))),
      { behind: this.#options.position, isTransaction: groups.length > 1, signal, asker },
    );
    const outcomes = new Map(groups.flatMap(({ mine }, n) => mine.map((call, m) => [call, result[n]?.[m]] as const)));
    return calls.map((call) => (outcomes.get(call) === 'done' ? after?.[0] : alone));
  }

  /** Rows that are held must not keep all connections waiting: the other writes need them. */
  async #restInTurn(call: AnyCall, signal: AbortSignal, asker?: Asker): Promise<Position> {
    const { clock, limits } = this.#options;
    const deadline = clock.now() + limits.maxWaitMs;
    try {
      await this.#alone.enter(limits.maxWaitMs, signal);
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    }
    try {
      return await this.#rest(call, { signal, asker, timeoutMs: Math.max(0, deadline - clock.now()) });
    } finally {
      this.#alone.leave();
    }
  }

  async #rest(
    call: AnyCall,
    limits: Pick<QueryThenOptions<PositionRow>, 'signal' | 'asker' | 'timeoutMs'>,
  ): Promise<Position> {
    const { after } = await this.#pool.queryThen(async (db) => call.kind.one(db, call), {
      ...limits,
      behind: this.#options.position,
    });
    return after?.[0];
  }
}

function kindOf<Call, Result>(wanted: BatchableWrite<Call, Result>): Kind {
  const isMine = (call: AnyCall): call is KindCall<Call, Result> => call.kind === kind;
  const keep = (call: KindCall<Call, Result>, result: Result | typeof alone): Outcome => {
    call.result = result;
    return isAlone(result) ? alone : 'done';
  };
  const kind: Kind = {
    async one(db, call) {
      return isMine(call) ? keep(call, await wanted.one(db, call.call)) : alone;
    },
    async many(db, calls) {
      const mine = calls.filter(isMine);
      const [only] = mine;
      if (mine.length === 1 && only !== undefined && wanted.keyOf === undefined)
        return [keep(only, await wanted.one(db, only.call))];
      const results = await wanted.many(
        db,
        mine.map(({ call }) => call),
      );
      if (results.length !== mine.length)
        throw new Error('a write of many brought another number of results than it had calls');
      return mine.map((call, index) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one for each; undefined is a result, too.
        return keep(call, results[index] as Result | typeof alone);
      });
    },
  };
  return kind;
}
