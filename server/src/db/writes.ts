import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { GateRefusal } from '../lib/gate.ts';
import { KeyTurns } from '../lib/key-turns.ts';
import type { BatchableWrite } from './batchable.ts';
import type { Caller } from './caller.ts';
import type { GroupCommit } from './group-commit.ts';
import { onlyOnPrimary, toPosition } from './position.ts';

/** Writes one thing. A call that was sent is finished, whatever becomes of its caller. */
export type Write<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

export interface WritesOptions {
  /** Calls of one kind that wait for another one of the same row. */
  readonly maxWaiting: number;
  /** For a call as a whole. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

type WriteBy<Call, Result> = (call: Call, caller: Caller, deadline?: number) => Promise<Result>;

/** Writes in batches, and tells each caller where in the log its write is. */
export class Writes {
  readonly #commits: GroupCommit;
  readonly #options: WritesOptions;

  constructor(commits: GroupCommit, options: WritesOptions) {
    this.#commits = commits;
    this.#options = options;
  }

  prepare<Call, Result>(kind: BatchableWrite<Call, Result>): Write<Call, Result> {
    const send = this.#commits.open(kind);
    const write: WriteBy<Call, Result> = async (call, caller, deadline) => {
      const { result, position } = await send(call, caller.lifetime, caller, deadline);
      // The write is on disk also when its position could not be learnt: then only the primary surely has it.
      caller.seen = toPosition(position) ?? onlyOnPrimary;
      return result;
    };
    return kind.keyOf === undefined ? write : this.#inTurns(write, kind.keyOf);
  }

  /** So that one key is in one batch at most, and a row that somebody holds keeps one connection waiting, not all. */
  #inTurns<Call, Result>(write: WriteBy<Call, Result>, keyOf: (call: Call) => string): Write<Call, Result> {
    const { maxWaiting, timeoutMs, clock } = this.#options;
    const turns = new KeyTurns(maxWaiting);
    return async (call, caller) => {
      const deadline = clock.now() + timeoutMs;
      try {
        const limits = { signal: caller.lifetime, timeoutMs };
        return await turns.take(keyOf(call), limits, async () => write(call, caller, deadline));
      } catch (error) {
        throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
      }
    };
  }
}
