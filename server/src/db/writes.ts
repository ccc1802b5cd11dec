import type { BatchableWrite } from './batchable.ts';
import type { Caller } from './caller.ts';
import type { GroupCommit } from './group-commit.ts';
import { onlyOnPrimary, toPosition } from './position.ts';

/** Writes one thing. A call that was sent is finished, whatever becomes of its caller. */
export type Write<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

/** Writes in batches, and tells each caller where in the log its write is. */
export class Writes {
  readonly #commits: GroupCommit;

  constructor(commits: GroupCommit) {
    this.#commits = commits;
  }

  prepare<Call, Result>(kind: BatchableWrite<Call, Result>): Write<Call, Result> {
    const send = this.#commits.open(kind);
    return async (call, caller) => {
      const { result, position } = await send(call, caller.lifetime, caller);
      // The write is on disk also when its position could not be learnt: then only the primary surely has it.
      caller.seen = toPosition(position) ?? onlyOnPrimary;
      return result;
    };
  }
}
