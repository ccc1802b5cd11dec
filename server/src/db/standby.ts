import { setTimeout as sleep } from 'node:timers/promises';

import { AppError } from '../lib/app-error.ts';
import { isTimeout } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import type { BatchedPool } from './batched-pool.ts';
import { describeFailure } from './errors.ts';
import { areOneServer, misfitOf } from './identity.ts';
import { covers, toPosition, type Position, type PositionRow, type ServerStatus } from './position.ts';
import type { PrimaryLog } from './primary-log.ts';
import type { Server } from './server.ts';

export interface StandbyOptions {
  /** The primary that it must follow; undefined when none was found. */
  readonly primary: () => ServerStatus | undefined;
  /** Whether the known primary does not answer now; default: it does. */
  readonly isPrimaryAway?: () => boolean;
  /** The positions to replay. */
  readonly primaryLog: PrimaryLog;
  /** With more lag, a standby gets no reads until it has caught up. */
  readonly maxLagMs: number;
  readonly log: Log;
}

/**
 * `unknown`: before the first check, and while its lag is unknown. `away`: it does not answer. `foreign`: it does not
 * follow the primary. `late`: too much lag. Only a `fit` one gets reads.
 */
export type StandbyState = 'unknown' | 'fit' | 'away' | 'foreign' | 'late';

type LagState = Extract<StandbyState, 'fit' | 'late' | 'unknown'>;

/** With this lag or more, a short wait is useless. */
const hopelessLagMs = 1_000;

/** The interval of position queries while a read waits for a position. */
const pauseMs = 2;

type AskedServer = Pick<Server, 'place' | 'status' | 'failure' | 'ask'>;

interface Waiter {
  readonly wanted: Position;
  readonly resolve: (isThere: boolean) => void;
}

/**
 * The state of a standby: whether it can serve reads, and how far it has replayed. A position belongs to one
 * incarnation of one server: after a crash it may have less than before, and another server's position says nothing.
 */
export class Standby {
  readonly batches: BatchedPool;
  /** Calls in flight here, and answered ones since the start. Kept by `Reads`. */
  readonly load = { inFlight: 0, answered: 0 };
  readonly #server: AskedServer;
  readonly #options: StandbyOptions;
  #state: StandbyState = 'unknown';
  #lagState: LagState | undefined;
  #incarnation: string | undefined;
  #position: Position | undefined;
  readonly #waiters = new Set<Waiter>();
  #isAsking = false;
  #wasFit = false;
  readonly #log: RepeatLog;

  constructor(server: AskedServer, batches: BatchedPool, options: StandbyOptions) {
    this.#server = server;
    this.batches = batches;
    this.#options = options;
    this.#log = new RepeatLog(options.log);
  }

  /** Writes pending log lines. */
  close(): void {
    this.#log.close();
  }

  get state(): StandbyState {
    return this.#state;
  }

  get isFit(): boolean {
    return this.#state === 'fit';
  }

  /** Whether it is the primary under a second name: it is always current, but standbys exist to take its reads. */
  get isPrimary(): boolean {
    const { status } = this.#server;
    const primary = this.#options.primary();
    return status !== undefined && primary !== undefined && areOneServer(status, primary);
  }

  /** The start of the server to which `has` refers. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  has(wanted: Position): boolean {
    return covers(this.#position, wanted);
  }

  /** Whether a short wait may help: the token is of the same timeline (not `onlyOnPrimary`), and the lag is small. */
  mayHaveSoon(wanted: Position): boolean {
    const { primaryLog } = this.#options;
    return this.#position?.timeline === wanted.timeline && primaryLog.lagOf(this.#position).leastMs <= hopelessLagMs;
  }

  /** Pass only what was read after a statement of the same session, and use the result only for later statements. */
  learn(row: PositionRow | undefined): void {
    const position = toPosition(row);
    if (row === undefined || position === undefined) return;
    const isNewer = this.#position === undefined || !covers(this.#position, position);
    if (row.incarnation !== this.#incarnation || isNewer) this.#position = position;
    this.#incarnation = row.incarnation;
    this.#tellWaiters();
  }

  /**
   * Resolves with whether the standby has replayed this position before `over` aborts. All waiters share one query
   * loop.
   */
  async reaches(wanted: Position, over: AbortSignal): Promise<boolean> {
    if (this.has(wanted)) return true;
    if (over.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { wanted, resolve };
    const onOver = (): void => this.#tell(waiter, false);
    this.#waiters.add(waiter);
    over.addEventListener('abort', onOver, { once: true });
    if (!this.#isAsking) void this.#askWhileWanted();
    return await promise.finally(() => over.removeEventListener('abort', onOver));
  }

  /** Queries the server, and judges its answer. Never rejects. */
  async check(): Promise<void> {
    await this.#server.ask();
    this.judge();
  }

  /** Compares the last answer with the primary's. Ignores the position of a server that does not follow it. */
  judge(): void {
    const { status, failure } = this.#server;
    if (status === undefined && failure === undefined) return; // Not queried yet.
    if (status === undefined) {
      // On a busy machine one answer may be late. Without the primary, no other server could serve reads.
      const isLastToAsk = this.isFit && this.#options.isPrimaryAway?.() === true;
      return isLastToAsk && isTimeout(failure) ? undefined : this.#leaveOut('away', failure);
    }
    const write = this.#options.primary();
    // Without a known primary, a server counts as its standby, as at the start.
    const misfit = write && misfitOf(status, write);
    if (misfit !== undefined) return this.#leaveOut('foreign', new Error(`it ${misfit}`));
    this.learn(status);
    this.#become(this.#judgeLag());
  }

  /** WAL that an unavailable primary sent to no standby does not count as lag: the state from its last answer stays. */
  #judgeLag(): LagState {
    const { primaryLog, maxLagMs, isPrimaryAway } = this.#options;
    if (this.#lagState !== undefined && isPrimaryAway?.() === true) return this.#lagState;
    const { leastMs, mostMs } = primaryLog.lagOf(this.#position);
    this.#lagState = mostMs <= maxLagMs ? 'fit' : leastMs > maxLagMs ? 'late' : 'unknown';
    return this.#lagState;
  }

  /** Waiting calls go elsewhere until it is fit again. */
  #leaveOut(state: 'away' | 'foreign', error: unknown): void {
    if (this.#state === state) return;
    this.#become(state, describeFailure(error));
    this.batches.rejectAll(new AppError('database_unavailable', { cause: error }));
    for (const waiter of this.#waiters) this.#tell(waiter, false);
  }

  #become(state: StandbyState, reason?: string): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    const { place } = this.#server;
    const tell = (level: 'info' | 'warn', text: string): void =>
      this.#log.add({ level, key: state, one: text, many: text }, () => ({ standby: place, reason }));
    if (state !== 'fit') tell('warn', `a standby gets no reads: it is ${wordsFor[state]}`);
    else if (this.#wasFit || before !== 'unknown') tell('info', 'a standby gets reads again');
    this.#wasFit ||= state === 'fit';
  }

  async #askWhileWanted(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiters.size > 0) {
      await this.check();
      if (this.#waiters.size > 0) await sleep(pauseMs);
    }
    this.#isAsking = false;
  }

  #tellWaiters(): void {
    for (const waiter of this.#waiters) if (this.has(waiter.wanted)) this.#tell(waiter, true);
  }

  #tell(waiter: Waiter, isThere: boolean): void {
    this.#waiters.delete(waiter);
    waiter.resolve(isThere);
  }
}

const wordsFor: Readonly<Record<Exclude<StandbyState, 'fit'>, string>> = {
  unknown: 'behind by an unknown time',
  away: 'away',
  foreign: 'not a standby of the primary',
  late: 'too far behind',
};
