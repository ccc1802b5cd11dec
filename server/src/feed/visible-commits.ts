import { setTimeout as sleep } from 'node:timers/promises';

import type { FeedCommit } from './feed.ts';
import { isVisible, type Snapshot } from './snapshot.ts';

/** A decoded transaction. */
export interface LoggedCommit extends FeedCommit {
  readonly xid: number;
  /** Of its messages in the log. */
  readonly bytes: number;
  /** It has rows that are not in `rows`. */
  readonly isTruncated: boolean;
  /** From its commit until the server sent it, and when it arrived here by the clock of this process. */
  readonly lateMs: number;
  readonly arrivedAtMs: number;
}

export interface VisibleCommitsOptions {
  /** The present snapshot of the primary. */
  readonly askSnapshot: () => Promise<Snapshot>;
  readonly deliver: (commits: readonly LoggedCommit[]) => void;
  /** The snapshot could not be read. */
  readonly onFailed: (error: unknown) => void;
}

const firstPauseMs = 1;
const longestPauseMs = 50;

/**
 * Holds commits back until statements on the primary see them. A commit is in the log before: the backend still has to leave the list of
 * running transactions, and with synchronous replication it first waits for the standby. Commits that wait together share one
 * question, in the order of the log.
 */
export class VisibleCommits {
  readonly #options: VisibleCommitsOptions;
  #waiting: LoggedCommit[] = [];
  #bytes = 0;
  #isAsking = false;
  #isClosed = false;

  constructor(options: VisibleCommitsOptions) {
    this.#options = options;
  }

  /** Of the commits that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(commit: LoggedCommit): void {
    this.#waiting.push(commit);
    this.#bytes += commit.bytes;
    if (!this.#isAsking) void this.#ask();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#bytes = 0;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    let pauseMs = firstPauseMs;
    try {
      while (this.#waiting.length > 0) {
        const snapshot = await this.#options.askSnapshot();
        if (this.#isClosed) return;
        const isStuck = this.#release(snapshot) === 0;
        if (isStuck) await sleep(pauseMs);
        pauseMs = isStuck ? Math.min(longestPauseMs, pauseMs * 2) : firstPauseMs;
      }
    } catch (error) {
      if (!this.#isClosed) this.#options.onFailed(error);
    } finally {
      this.#isAsking = false;
    }
  }

  /** Delivers the commits before the first invisible one. Returns their number. */
  #release(snapshot: Snapshot): number {
    const hidden = this.#waiting.findIndex(({ xid }) => !isVisible(xid, snapshot));
    const count = hidden === -1 ? this.#waiting.length : hidden;
    const visible = this.#waiting.splice(0, count);
    for (const { bytes } of visible) this.#bytes -= bytes;
    if (count > 0) this.#options.deliver(visible);
    return count;
  }
}
