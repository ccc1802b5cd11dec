import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { BatchableRead } from './batchable.ts';
import type { BatchedPool, Positioned, Send } from './batched-pool.ts';
import type { Caller } from './caller.ts';
import { isFaultOfStandby } from './errors.ts';
import { latest, onlyOnPrimary, toPosition, type Position } from './position.ts';
import type { Standby } from './standby.ts';
import type { Standbys } from './standbys.ts';

/** Reads one thing, at least as fresh as the caller's token. */
export type Read<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

export interface ReadsOptions {
  readonly primary: BatchedPool;
  readonly standbys: Standbys;
  /** How long a read waits for a standby that is about to have what it needs, before the primary is asked. */
  readonly maxCatchUpMs: number;
  /** For a call as a whole, whichever servers are asked for it. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called when a standby failed a read. */
  readonly onFailure: (standby: Standby) => void;
  /** Called when the primary turned out to be older than a token. Resolves when it was looked for again. */
  readonly onOldPrimary: () => Promise<void>;
}

/** How often a read asks a primary that lacks what its token says, before it is refused. */
const maxOldAnswers = 3;

/** Where reads were answered, since the start. */
export interface ReadOutcomes {
  /** By a standby at once, and by a standby after a wait. */
  standby: number;
  waited: number;
  /** By the primary: for want of a standby, because all were behind the token, and as a second opinion. */
  primaryForAbsence: number;
  primaryForToken: number;
  primaryForDoubt: number;
}

interface Sends<Call, Result> {
  /** For callers without a token, and for those with one, who are given a new one. */
  readonly plain: Send<Call, Result>;
  readonly positioned: Send<Call, Result>;
}

/** How one kind of read is made on each server. */
interface Reader<Call, Result> {
  readonly onPrimary: Sends<Call, Result>;
  readonly onStandby: ReadonlyMap<Standby, Sends<Call, Result>>;
  readonly isDoubtful: (result: Result) => boolean;
}

/** A call, for whom, and by when: the deadline is set when it arrives, and is that of all questions it takes. */
interface Wanted<Call> {
  readonly call: Call;
  readonly caller: Caller;
  readonly deadline: number;
}

/** What a standby answered, and as which incarnation it was known when it was asked. */
interface StandbyAnswer<Result> extends Positioned<Result> {
  readonly standby: Standby;
  readonly incarnation: string | undefined;
}

/**
 * Reads from a standby where one is fresh enough, else from the primary. With a token: from one that has replayed that
 * far, after a short wait where one may be about to, else from the primary. Without one: from any. With or without, when a
 * standby finds nothing, the primary is asked before the caller is told so. A standby that fails costs its callers a second question, to
 * another one or the primary, not an error. Rejects as `Batch` does.
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

  async #readFresh<Call, Result>(reader: Reader<Call, Result>, wanted: Wanted<Call>, token: Position): Promise<Result> {
    const { standbys, maxCatchUpMs } = this.#options;
    const { caller } = wanted;
    const isThere = standbys.choose(token) !== undefined;
    if (!isThere && standbys.isAnyFit) await standbys.reach(token, maxCatchUpMs);
    const isBehind = standbys.isAnyFit && standbys.choose(token) === undefined;
    const answer = await this.#tryStandbys(reader, wanted);
    // Answered by the very incarnation that is known to have it, so its snapshot cannot be older.
    const isFresh = answer?.position !== undefined && answer.position.incarnation === answer.incarnation;
    if (isFresh) answer.standby.learn(answer.position);
    // What its client was told by others may be newer than what it has seen itself.
    if (isFresh && reader.isDoubtful(answer.result)) this.outcomes.primaryForDoubt += 1;
    else if (isFresh) {
      this.outcomes[isThere ? 'standby' : 'waited'] += 1;
      caller.seen = latest(token, toPosition(answer.position) ?? token);
      return answer.result;
    } else this.outcomes[isBehind ? 'primaryForToken' : 'primaryForAbsence'] += 1;
    return await this.#readFromPrimary(reader, wanted, token);
  }

  /**
   * A token of a newer timeline was given by a newer primary: until that is found, nobody can answer. An older token is
   * covered by the primary, whichever it is: it has all that outlived the failover.
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
        caller.seen = reached;
        return result;
      }
      if (answers === maxOldAnswers) throw new AppError('database_unavailable');
      await this.#options.onOldPrimary();
    }
  }

  /**
   * Asks one standby after the other until one does not fail for reasons of its own. Each is chosen right before it is sent
   * to: what was known of it before a wait may be of another incarnation. Undefined when there is none left.
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
