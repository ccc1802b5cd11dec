import { AppError } from '../lib/app-error.ts';
import { GateRefusal } from '../lib/gate.ts';
import { KeyTurns } from '../lib/key-turns.ts';
import type { BatchableWrite } from './batchable.ts';
import type { Caller } from './caller.ts';
import type { GroupCommit } from './group-commit.ts';
import { onlyOnPrimary, toPosition } from './position.ts';

/** Writes one thing. A call that was sent is finished, whatever becomes of its caller. */
export type Write<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

/** Writes in batches, and tells each caller where in the log its write is. */
export class Writes {
  readonly #commits: GroupCommit;
  readonly #maxWaiting: number;

  constructor(commits: GroupCommit, { maxWaiting }: { readonly maxWaiting: number }) {
    this.#commits = commits;
    this.#maxWaiting = maxWaiting;
  }

  prepare<Call, Result>(kind: BatchableWrite<Call, Result>): Write<Call, Result> {
    const send = this.#commits.open(kind);
    const write: Write<Call, Result> = async (call, caller) => {
      const { result, position } = await send(call, caller.lifetime, caller);
      // The write is on disk also when its position could not be learnt: then only the primary surely has it.
      caller.seen = toPosition(position) ?? onlyOnPrimary;
      return result;
    };
    return kind.keyOf === undefined ? write : inTurns(write, kind.keyOf, new KeyTurns(this.#maxWaiting));
  }
}

/** So that one key is in one batch at most, and a row that somebody holds keeps one connection waiting, not all. */
function inTurns<Call, Result>(
  write: Write<Call, Result>,
  keyOf: (call: Call) => string,
  turns: KeyTurns,
): Write<Call, Result> {
  return async (call, caller) => {
    try {
      return await turns.take(keyOf(call), caller.lifetime, async () => write(call, caller));
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    }
  };
}
