import type { BatchableWrite } from './batchable.ts';
import { see, type Caller } from './caller.ts';
import type { GroupCommit } from './group-commit.ts';
import { onlyOnPrimary, toPosition, type PositionRow } from './position.ts';

/** Executes one write. A call that was sent completes, even if its caller has left. */
export type Write<Call, Result> = (call: Call, caller: Caller) => Promise<Result>;

/** Writes in batches, and returns each write's position to its caller. */
export class Writes {
  readonly #commits: GroupCommit;

  constructor(commits: GroupCommit) {
    this.#commits = commits;
  }

  prepare<Call, Result>(kind: BatchableWrite<Call, Result>): Write<Call, Result> {
    const send = this.#commits.open(kind);
    return async (call, caller) => {
      const { result, position } = await send(call, caller.lifetime, caller);
      seeWritten(caller, position);
      return result;
    };
  }
}

/** Committed even if its position is unknown; then only the primary is known to have it. */
export function seeWritten(caller: Caller, position: PositionRow | undefined): void {
  see(caller, toPosition(position) ?? onlyOnPrimary);
}
