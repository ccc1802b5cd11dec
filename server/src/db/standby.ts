import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { AppError } from '../lib/app-error.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { BatchedPool } from './batched-pool.ts';
import { describeFailure } from './errors.ts';
import type { Pool } from './pool.ts';
import { covers, replayPosition, toPosition, type Position, type PositionRow } from './position.ts';
import type { PrimaryLog } from './primary-log.ts';

export interface StandbyOptions {
  /** A standby whose newest known commit is older than this is left out until it has caught up. */
  readonly maxLagMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a standby may take to say where it is, before it counts as away. */
const answerMs = 500;

/** Between two questions whether a position has been replayed; each is twice as long as the one before. */
const firstPauseMs = 1;

interface Waiter {
  readonly wanted: Position;
  readonly until: number;
  readonly resolve: (incarnation: string | undefined) => void;
}

/**
 * What is known of a standby: whether it is fit to answer, and how far it has replayed. A position belongs to one
 * incarnation of the server: after a crash it may come back with less than it had.
 */
export class Standby {
  readonly batches: BatchedPool;
  readonly #pool: Pool;
  readonly #options: StandbyOptions;
  #incarnation: string | undefined;
  #position: Position | undefined;
  #isAway = false;
  #isLate = false;
  readonly #waiters = new Set<Waiter>();
  #isAsking = false;

  constructor(pool: Pool, batches: BatchedPool, options: StandbyOptions) {
    this.#pool = pool;
    this.batches = batches;
    this.#options = options;
  }

  get isFit(): boolean {
    return !this.#isAway && !this.#isLate;
  }

  /** The incarnation that has replayed this much, as far as is known; undefined when none is known to. */
  whichHas(wanted: Position): string | undefined {
    return covers(this.#position, wanted) ? this.#incarnation : undefined;
  }

  /** To be told only what was read after a statement of the same session, and used only for statements that follow. */
  learn(row: PositionRow | undefined): void {
    const position = toPosition(row);
    if (row === undefined || position === undefined) return;
    const isNewer = this.#position === undefined || !covers(this.#position, position);
    if (row.incarnation !== this.#incarnation || isNewer) this.#position = position;
    this.#incarnation = row.incarnation;
  }

  /** Like `whichHas`, after at most `timeoutMs` of waiting for it. All who wait ask together. */
  async whichReaches(wanted: Position, timeoutMs: number): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiters.add({ wanted, until: this.#options.clock.now() + timeoutMs, resolve });
    if (!this.#isAsking) void this.#askWhileWanted();
    return await promise;
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
    const [row] = await withDeadline(this.#pool.query(replayPosition, [], inTime), answerMs + 50);
    this.learn(row);
  }

  async #askWhileWanted(): Promise<void> {
    this.#isAsking = true;
    for (let pauseMs = firstPauseMs; this.#waiters.size > 0; pauseMs *= 2) {
      // A failure is found by the next check; those who wait here go to the primary in time.
      await this.#ask().catch(() => undefined);
      this.#tellWaiters();
      if (this.#waiters.size > 0) await pause(Math.min(pauseMs, this.#nextEnd()));
    }
    this.#isAsking = false;
  }

  #tellWaiters(): void {
    const now = this.#options.clock.now();
    for (const waiter of this.#waiters) {
      const incarnation = this.#isAway ? undefined : this.whichHas(waiter.wanted);
      if (incarnation === undefined && !this.#isAway && now < waiter.until) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(incarnation);
    }
  }

  #nextEnd(): number {
    const now = this.#options.clock.now();
    return Math.max(0, Math.min(...[...this.#waiters].map(({ until }) => until - now)));
  }
}

async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  await promise;
}
