import { setTimeout as sleep } from 'node:timers/promises';

import type { Log } from '../telemetry/log.ts';
import { AppError } from '../lib/app-error.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { BatchedPool } from './batched-pool.ts';
import { describeFailure } from './errors.ts';
import { covers, replayPosition, toPosition, type Position, type PositionRow } from './position.ts';
import type { PrimaryLog } from './primary-log.ts';
import type { Queryable } from './statement.ts';

export interface StandbyOptions {
  /** A standby whose newest known commit is older than this is left out until it has caught up. */
  readonly maxLagMs: number;
  readonly log: Log;
}

/** How long a standby may take to say where it is, before it counts as away. */
const answerMs = 500;

/** Between two questions whether a position has been replayed, while somebody waits for it. */
const pauseMs = 2;

interface Waiter {
  readonly wanted: Position;
  readonly resolve: (isThere: boolean) => void;
}

/**
 * What is known of a standby: whether it is fit to answer, and how far it has replayed. A position belongs to one
 * incarnation of the server: after a crash it may come back with less than it had.
 */
export class Standby {
  readonly batches: BatchedPool;
  readonly #sessions: Queryable;
  readonly #options: StandbyOptions;
  #incarnation: string | undefined;
  #position: Position | undefined;
  #isAway = false;
  #isLate = false;
  readonly #waiters = new Set<Waiter>();
  #isAsking = false;

  /** `sessions` are not those of the batches: a standby that is busy with reads is not away. */
  constructor(sessions: Queryable, batches: BatchedPool, options: StandbyOptions) {
    this.#sessions = sessions;
    this.batches = batches;
    this.#options = options;
  }

  get isFit(): boolean {
    return !this.#isAway && !this.#isLate;
  }

  /** The start of the server to which `has` refers. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  has(wanted: Position): boolean {
    return covers(this.#position, wanted);
  }

  /** To be told only what was read after a statement of the same session, and used only for statements that follow. */
  learn(row: PositionRow | undefined): void {
    const position = toPosition(row);
    if (row === undefined || position === undefined) return;
    const isNewer = this.#position === undefined || !covers(this.#position, position);
    if (row.incarnation !== this.#incarnation || isNewer) this.#position = position;
    this.#incarnation = row.incarnation;
    this.#tellWaiters();
  }

  /** Resolves with whether the standby has replayed this much, or does within `timeoutMs`. All who wait ask together. */
  async reaches(wanted: Position, timeoutMs: number): Promise<boolean> {
    if (this.has(wanted)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { wanted, resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => this.#tell(waiter, false), timeoutMs);
    if (!this.#isAsking) void this.#askWhileWanted();
    return await promise.finally(() => clearTimeout(timer));
  }

  /** It does not answer: whoever waits for it is sent elsewhere, until `check` finds it again. */
  leaveOut(error: unknown): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#options.log.warn({ reason: describeFailure(error) }, 'the standby is away: reads go to the primary');
    this.batches.rejectAll(new AppError('database_unavailable', { cause: error }));
    this.#tellWaiters();
  }

  /** Asks where it is, and compares with what the primary had. */
  async check(primary: PrimaryLog): Promise<void> {
    try {
      await this.#ask();
    } catch (error) {
      this.leaveOut(error);
      return;
    }
    this.#setLate(primary.lagOf(this.#position) > this.#options.maxLagMs);
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#options.log.info('the standby is back');
  }

  #setLate(isLate: boolean): void {
    if (isLate === this.#isLate) return;
    this.#isLate = isLate;
    if (isLate) this.#options.log.warn('the standby is too far behind: reads go to the primary');
    else this.#options.log.info('the standby has caught up');
  }

  async #ask(): Promise<void> {
    const inTime = AbortSignal.timeout(answerMs);
    const [row] = await withDeadline(this.#sessions.query(replayPosition, [], inTime), answerMs + 50);
    this.learn(row);
  }

  async #askWhileWanted(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiters.size > 0) {
      // A failure is found by the next check; those who wait here go to the primary in time.
      await this.#ask().catch(() => undefined);
      if (this.#waiters.size > 0) await sleep(pauseMs);
    }
    this.#isAsking = false;
  }

  #tellWaiters(): void {
    for (const waiter of this.#waiters) {
      if (this.#isAway) this.#tell(waiter, false);
      else if (this.has(waiter.wanted)) this.#tell(waiter, true);
    }
  }

  #tell(waiter: Waiter, isThere: boolean): void {
    this.#waiters.delete(waiter);
    waiter.resolve(isThere);
  }
}
