import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { BatchableRead } from './batchable.ts';
import type { BatchedPool, Positioned, Send } from './batched-pool.ts';
import { see, type Caller } from './caller.ts';
import { isFaultOfStandby } from './errors.ts';
import { latest, onlyOnPrimary, toPosition, type Position } from './position.ts';
import type { Standby } from './standby.ts';
import type { Standbys } from './standbys.ts';

/** Executes one read, at least as fresh as the caller's token. */
export type Read<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

export interface ReadsOptions {
  readonly primary: BatchedPool;
  readonly standbys: Standbys;
  /** How long a read waits for a standby to replay its token, before it goes to the primary. */
  readonly maxCatchUpMs: number;
  /** Time limit of a read, over all servers. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called when a standby failed a read. */
  readonly onFailure: (standby: Standby) => void;
  /** Called when the primary is older than a token. Resolves when the primary was located again. */
  readonly onOldPrimary: () => Promise<void>;
}

/** Attempts on a primary that is older than the token, before the read is refused. */
const maxOldAnswers = 3;

/** Counts of reads by answering server, since the start. */
export interface ReadOutcomes {
  /** By a standby at once, and after a wait. */
  standby: number;
  waited: number;
  /** By the primary: without a fit standby, because all were behind the token, and to confirm an absent row. */
  primaryForAbsence: number;
  primaryForToken: number;
  primaryForDoubt: number;
}

interface Sends<Call, Result> {
  /** For callers without a token, and for those with one, who get a new one. */
  readonly plain: Send<Call, Result>;
  readonly positioned: Send<Call, Result>;
}

/** One kind of read on each server. */
interface Reader<Call, Result> {
  readonly onPrimary: Sends<Call, Result>;
  readonly onStandby: ReadonlyMap<Standby, Sends<Call, Result>>;
  readonly isDoubtful: (result: Result) => boolean;
}

/** A call, its caller, and its deadline, which is set at its arrival and covers all queries for it. */
interface Wanted<Call> {
  readonly call: Call;
  readonly caller: Caller;
  readonly deadline: number;
}

/** A standby's answer, and its known incarnation at the query. */
interface StandbyAnswer<Result> extends Positioned<Result> {
  readonly standby: Standby;
  readonly incarnation: string | undefined;
}

/**
 * Reads from a standby that is fresh enough, else from the primary. With a token, the standby must have replayed it, after a short wait if
 * one is close; without a token, any fit standby. When a standby finds nothing, the primary is queried before the caller gets that result.
 * A read that fails on a standby is repeated on another one or the primary. Rejects as `Batch` does.
 */
export class Reads {
  readonly #options: ReadsOptions;
  readonly outcomes: ReadOutcomes = {
    standby: 0,
    waited: 0,
    primaryForAbsence: 0,
    primaryForToken: 0,
    primaryForDoubt: 0,
  };

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  prepare<Call, Result>(kind: BatchableRead<Call, Result>): Read<Call, Result> {
    const open = (pool: BatchedPool): Sends<Call, Result> => ({
      plain: pool.open(kind, { withPosition: false }),
      positioned: pool.open(kind, { withPosition: true }),
    });
    const { primary, standbys } = this.#options;
    const reader: Reader<Call, Result> = {
      onPrimary: open(primary),
      onStandby: new Map(standbys.all.map((standby) => [standby, open(standby.batches)])),
      isDoubtful: kind.isDoubtful ?? (() => false),
    };
    const { clock, timeoutMs } = this.#options;
    return (call, caller) => {
      const wanted = { call, caller, deadline: clock.now() + timeoutMs };
      if (kind.isPrimaryFirst === true) return this.#readPrimaryFirst(reader, wanted);
      return caller.token === undefined ? this.#read(reader, wanted) : this.#readFresh(reader, wanted, caller.token);
    };
  }

  async #read<Call, Result>(reader: Reader<Call, Result>, wanted: Wanted<Call>): Promise<Result> {
    const answer = await this.#tryStandbys(reader, wanted);
    if (answer === undefined) this.outcomes.primaryForAbsence += 1;
    else if (reader.isDoubtful(answer.result)) this.outcomes.primaryForDoubt += 1;
    else {
      this.outcomes.standby += 1;
      return answer.result;
    }
    const { call, caller, deadline } = wanted;
    return (await reader.onPrimary.plain(call, caller.lifetime, caller, deadline)).result;
  }

  /** Without a primary, what a standby lacks stays unknown: the primary's error. */
  async #readPrimaryFirst<Call, Result>(reader: Reader<Call, Result>, wanted: Wanted<Call>): Promise<Result> {
    const { call, caller, deadline } = wanted;
    try {
      return (await reader.onPrimary.plain(call, caller.lifetime, caller, deadline)).result;
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'database_unavailable')) throw error;
      const answer = await this.#tryStandbys(reader, wanted);
      if (answer === undefined || reader.isDoubtful(answer.result)) throw error;
      return answer.result;
    }
  }

  async #readFresh<Call, Result>(reader: Reader<Call, Result>, wanted: Wanted<Call>, token: Position): Promise<Result> {
    const { standbys, maxCatchUpMs } = this.#options;
    const { caller } = wanted;
    const isThere = standbys.choose(token) !== undefined;
    if (!isThere && standbys.isAnyFit) await standbys.reach(token, maxCatchUpMs);
    const isBehind = standbys.isAnyFit && standbys.choose(token) === undefined;
    const answer = await this.#tryStandbys(reader, wanted);
    // The incarnation that answered is known to have the position, so its snapshot is not older.
    const isFresh = answer?.position !== undefined && answer.position.incarnation === answer.incarnation;
    if (isFresh) answer.standby.learn(answer.position);
    // Other clients may have told this client about newer data.
    if (isFresh && reader.isDoubtful(answer.result)) this.outcomes.primaryForDoubt += 1;
    else if (isFresh) {
      this.outcomes[isThere ? 'standby' : 'waited'] += 1;
      see(caller, latest(token, toPosition(answer.position) ?? token));
      return answer.result;
    } else this.outcomes[isBehind ? 'primaryForToken' : 'primaryForAbsence'] += 1;
    return await this.#readFromPrimary(reader, wanted, token);
  }

  /**
   * A token of a newer timeline is from a newer primary: until that is found, no server can answer. Every primary covers older tokens: it
   * has everything that survived the failover.
   */
  async #readFromPrimary<Call, Result>(
    reader: Reader<Call, Result>,
    { call, caller, deadline }: Wanted<Call>,
    token: Position,
  ): Promise<Result> {
    for (let answers = 1; ; answers += 1) {
      const { result, position } = await reader.onPrimary.positioned(call, caller.lifetime, caller, deadline);
      const reached = toPosition(position) ?? onlyOnPrimary;
      if (reached === onlyOnPrimary || reached.timeline >= token.timeline) {
        see(caller, reached);
        return result;
      }
      if (answers === maxOldAnswers) throw new AppError('database_unavailable');
      await this.#options.onOldPrimary();
    }
  }

  /**
   * Queries standbys one after the other until one does not fail for its own reasons. Each is chosen right before the query, because its
   * incarnation may change during a wait. Undefined when none is left.
   */
  async #tryStandbys<Call, Result>(
    { onStandby }: Reader<Call, Result>,
    { call, caller, deadline }: Wanted<Call>,
  ): Promise<StandbyAnswer<Result> | undefined> {
    const { token, lifetime } = caller;
    const { standbys, onFailure } = this.#options;
    const failed: Standby[] = [];
    for (;;) {
      const standby = standbys.take(token, failed);
      const sends = standby && onStandby.get(standby);
      if (standby === undefined || sends === undefined) return undefined;
      const send = token === undefined ? sends.plain : sends.positioned;
      const { incarnation } = standby;
      standby.load.inFlight += 1;
      try {
        const { result, position } = await send(call, lifetime, caller, deadline);
        standby.load.answered += 1;
        return { result, position, standby, incarnation };
      } catch (error) {
        if (!isFaultOfStandby(error)) throw error;
        onFailure(standby);
        failed.push(standby);
      } finally {
        standby.load.inFlight -= 1;
      }
    }
  }
}
