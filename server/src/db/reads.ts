import { AppError } from '../lib/app-error.ts';
import type { BatchableRead } from './batchable.ts';
import type { BatchedPool, Positioned, Send } from './batched-pool.ts';
import type { Caller } from './caller.ts';
import { latest, onlyOnPrimary, toPosition, type Position } from './position.ts';
import type { Standby } from './standby.ts';

/** Reads one thing, at least as fresh as the caller's token. */
export type Read<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

export interface ReadsOptions {
  readonly primary: BatchedPool;
  readonly standby: Standby;
  /** How long a read waits for a standby that is about to have what it needs, before the primary is asked. */
  readonly maxCatchUpMs: number;
  /** Called when the standby failed a read. */
  readonly onFailure: () => void;
}

/** Where reads were answered, since the start. */
export interface ReadOutcomes {
  /** By the standby at once, and by the standby after a wait. */
  standby: number;
  waited: number;
  /** By the primary: for want of a standby, because it was behind the token, and as a second opinion. */
  primaryForAbsence: number;
  primaryForToken: number;
  primaryForDoubt: number;
}

interface Sends<Call, Result> {
  /** For callers without a token, and for those with one, who are given a new one. */
  readonly plain: Send<Call, Result>;
  readonly positioned: Send<Call, Result>;
}

/**
 * Reads from the standby where it is fresh enough, else from the primary. With a token: when the standby has replayed that
 * far, after a short wait when it is about to, else from the primary. Without one: from the standby; when that finds
 * nothing, the primary is asked before the caller is told so. A standby that fails costs its callers a second question,
 * not an error. Rejects as `Batch` does.
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
    const onStandby = open(this.#options.standby.batches);
    const onPrimary = open(this.#options.primary);
    return async (call, caller) => {
      const { token } = caller;
      if (token !== undefined)
        return await this.#readFresh(onStandby.positioned, onPrimary.positioned, call, caller, token);
      return await this.#read(onStandby.plain, onPrimary.plain, call, caller, kind.isDoubtful);
    };
  }

  async #read<Call, Result>(
    onStandby: Send<Call, Result>,
    onPrimary: Send<Call, Result>,
    call: Call,
    caller: Caller,
    isDoubtful: BatchableRead<Call, Result>['isDoubtful'],
  ): Promise<Result> {
    const answer = await this.#tryStandby(onStandby, call, caller);
    if (answer === undefined) this.outcomes.primaryForAbsence += 1;
    else if (isDoubtful?.(answer.result) === true) this.outcomes.primaryForDoubt += 1;
    else {
      this.outcomes.standby += 1;
      return answer.result;
    }
    return (await onPrimary(call, caller.lifetime)).result;
  }

  async #readFresh<Call, Result>(
    onStandby: Send<Call, Result>,
    onPrimary: Send<Call, Result>,
    call: Call,
    caller: Caller,
    token: Position,
  ): Promise<Result> {
    const { standby } = this.#options;
    const isThere = standby.has(token);
    if (!isThere && standby.isFit) await standby.reaches(token, this.#options.maxCatchUpMs);
    // Asked again, and no wait between here and the sending: while we waited, it may have become another server.
    const isBehind = standby.isFit && !standby.has(token);
    const { incarnation } = standby;
    const answer = isBehind ? undefined : await this.#tryStandby(onStandby, call, caller);
    // Answered by the very incarnation that is known to have it, so its snapshot cannot be older.
    if (answer?.position !== undefined && answer.position.incarnation === incarnation) {
      standby.learn(answer.position);
      this.outcomes[isThere ? 'standby' : 'waited'] += 1;
      caller.seen = latest(token, toPosition(answer.position) ?? token);
      return answer.result;
    }
    this.outcomes[isBehind ? 'primaryForToken' : 'primaryForAbsence'] += 1;
    const { result, position } = await onPrimary(call, caller.lifetime);
    caller.seen = toPosition(position) ?? onlyOnPrimary;
    return result;
  }

  /** Undefined when the standby is not fit to answer, or fails for reasons of its own. */
  async #tryStandby<Call, Result>(
    send: Send<Call, Result>,
    call: Call,
    { lifetime }: Caller,
  ): Promise<Positioned<Result> | undefined> {
    const { standby, onFailure } = this.#options;
    if (!standby.isFit) return undefined;
    try {
      return await send(call, lifetime);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'database_unavailable') throw error;
      onFailure();
      return undefined;
    }
  }
}
