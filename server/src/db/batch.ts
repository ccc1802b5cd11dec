import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Turn } from '../lib/turn.ts';
import type { BatchTrace } from '../telemetry/batch-trace.ts';
import { Flight, Waiter } from './batch-flight.ts';
import type { Requester } from './caller.ts';
import { Pace } from './pace.ts';

/** Instead of a result: the call was not executed, and must be sent alone. */
export const deferred: unique symbol = Symbol('deferred');

export function isDeferred(result: unknown): result is typeof deferred {
  return result === deferred;
}

export interface BatchLimits {
  /** Maximum of concurrent statements of this kind. Further calls wait and are sent together. */
  readonly maxInFlight: number;
  /** Maximum of calls per statement; 1 disables batching. */
  readonly maxSize: number;
  /** Maximum of waiting calls; further ones are refused with `pool_exhausted`. */
  readonly maxWaiting: number;
  /** Time limit of a call without its own deadline, including its wait and all attempts. */
  readonly maxWaitMs: number;
}

/** The context of a statement. */
export interface Sending {
  /** Aborts when its last caller has left. */
  readonly interrupt: Lifetime;
  /** The latest of its callers' deadlines, by the clock. Each caller is answered at its own. */
  readonly deadline: number;
  /** The first caller. */
  readonly requester: Requester | undefined;
  /** Call it when the statement is sent; before that, nothing can have happened. */
  readonly onLeft: () => void;
}

export interface BatchOptions<Call, Result> extends BatchLimits {
  /** Executes the only call. */
  readonly one: (call: Call, sending: Sending) => Promise<Result | typeof deferred>;
  /** Executes several calls in one statement; results are in the order of the calls. */
  readonly many: (calls: readonly Call[], sending: Sending) => Promise<readonly (Result | typeof deferred)[]>;
  /** Executes deferred calls: one, or with `restsTogether` all that have the same `holdBy`. */
  readonly rest: (calls: readonly Call[], sending: Sending) => Promise<readonly (Result | typeof deferred)[]>;
  readonly restsTogether?: boolean;
  /** Calls with the same key that are sent together share one entry and its result. */
  readonly shareBy?: ((call: Call) => string) | undefined;
  /**
   * The row that a call changes, if any: while a batch with it is in flight, further calls for it wait. Of deferred calls for one row, one
   * is sent alone, and the others wait for it; with `restsTogether`, they are sent together.
   */
  readonly holdBy?: ((call: Call) => string | undefined) | undefined;
  /** Whether the calls caused the failure, so that some of them may succeed without the others. */
  readonly isFaultOfCalls: (error: unknown) => boolean;
  /** Whether a sent call may be cancelled; if not, its caller gets its outcome. */
  readonly isInterruptible: boolean;
  readonly clock: Clock;
  readonly turn: Turn;
  /** The load of this worker from 0 to 1, without clients limited by latency. Undefined: no spacing. */
  readonly pressure?: (() => number) | undefined;
  /** Undefined without tracing. */
  readonly trace?: BatchTrace | undefined;
  /** Called once per sent batch, with the longest wait of its calls; not for retries in halves. */
  readonly onSent?: ((size: number, waitMs: number) => void) | undefined;
}

/** The interval of checks for expired calls: a fraction of a call's time limit, and a maximum. */
const tick = { part: 1 / 20, maxMs: 100 };

/** Aborted calls are removed from the queue when they outnumber the waiting ones by this many. */
const maxLeft = 64;

/**
 * Gathers single calls into statements over arrays. Calls of one event-loop turn are sent together; calls that arrive while `maxInFlight`
 * statements are running wait and are sent together. A statement always starts after the arrival of its calls, so a result is never older
 * than its call. Under low load a statement has one call: if the last one did, and none is in flight, a call is sent at once.
 *
 * Rejects with the statement's own error; with `pool_exhausted` when too many calls wait, or one too long; with `statement_timeout` when a
 * sent call reaches its deadline; with the signal's reason when the caller aborts, which cancels the statement only for its last caller.
 * When calls cause a failure, their statement is halved until the failing call is alone. Technique: DataLoader, with backpressure.
 */
export class Batch<Call, Result> {
  readonly #options: BatchOptions<Call, Result>;
  /** Includes calls that were aborted or refused meanwhile. */
  #queue: Waiter<Call, Result>[] = [];
  readonly #flights = new Set<Flight<Call, Result>>();
  /** Keys of calls in flight, with the number of their flights. */
  readonly #held = new Map<string, number>();
  #inFlight = 0;
  #waiting = 0;
  #isScheduled = false;
  /** Whether the last batch had one caller. */
  #isQuiet = false;
  readonly #tickMs: number;
  readonly #pace: Pace;
  /** Defined while calls wait for the end of the interval between batches. */
  #spacing: NodeJS.Timeout | undefined;
  /** One timer for all calls, because a timer per call costs more. Runs only while there are calls. */
  #isTicking = false;

  constructor(options: BatchOptions<Call, Result>) {
    this.#options = options;
    this.#pace = new Pace(options.clock, options.pressure);
    this.#tickMs = Math.min(options.maxWaitMs * tick.part, tick.maxMs);
  }

  /** Waiting calls, and running statements. */
  get load(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#waiting, inFlight: this.#inFlight };
  }

  /** `deadline` is by the clock, for a call that has already used some of its time. */
  call(call: Call, signal: Lifetime, requester?: Requester, deadline?: number): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (signal.aborted) reject(signal.reason);
    else if (this.#waiting >= this.#options.maxWaiting) reject(new AppError('pool_exhausted'));
    else {
      const { clock, maxWaitMs, trace } = this.#options;
      const since = clock.now();
      const waiter = new Waiter(call, { resolve, reject, signal, requester, since, onLeave: this.#onLeave });
      waiter.deadline = deadline ?? since + maxWaitMs;
      waiter.traced = trace?.begin();
      this.#queue.push(waiter);
      this.#waiting += 1;
      this.#schedule();
      this.#tick();
    }
    return promise;
  }

  /** Rejects every call, sent or not, at once with this reason. For a server known to be unavailable. */
  rejectAll(reason: Error): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const waiter of queue) this.#dismiss(waiter, reason);
    for (const flight of this.#flights) {
      flight.interrupt.abort(reason);
      flight.reject(reason);
    }
  }

  /**
   * The next batch is sent at the end of the turn, with all its calls, or at the end of the interval. With batching off, a call is sent at
   * once.
   */
  #schedule(): void {
    const { maxInFlight, maxSize, turn } = this.#options;
    if (this.#spacing !== undefined && this.#waiting >= maxSize) {
      clearTimeout(this.#spacing);
      return this.#onTime();
    }
    if (this.#isScheduled || this.#inFlight >= maxInFlight || this.#waiting === 0) return;
    if (maxSize === 1) return this.#fill();
    if (this.#isQuiet && this.#inFlight === 0) return this.#leave();
    this.#isScheduled = true;
    turn.atEnd(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    this.#leave();
  };

  #leave(): void {
    const { waitMs } = this.#pace;
    if (waitMs === 0) return this.#fill();
    this.#isScheduled = true;
    this.#spacing = setTimeout(this.#onTime, waitMs);
  }

  readonly #onTime = (): void => {
    this.#isScheduled = false;
    this.#spacing = undefined;
    this.#fill();
  };

  #fill(): void {
    while (this.#inFlight < this.#options.maxInFlight && this.#waiting > 0) {
      const flight = this.#take();
      if (flight.waiters.length === 0) return;
      this.#start(flight);
    }
  }

  /** The oldest calls, without expired ones and those that wait for a call in flight. */
  #take(): Flight<Call, Result> {
    const { maxSize, shareBy, isInterruptible } = this.#options;
    const now = this.#options.clock.now();
    const flight = new Flight<Call, Result>(isInterruptible);
    const places = shareBy && new Map<string, number>();
    const staying: Waiter<Call, Result>[] = [];
    for (const [index, waiter] of this.#queue.entries()) {
      if (waiter.isOver) continue;
      if (waiter.deadline <= now) this.#dismiss(waiter, new AppError('pool_exhausted'));
      else if (!this.#mayTake(waiter.call, flight)) staying.push(waiter);
      else if (!flight.add(waiter, maxSize, places, shareBy)) {
        staying.push(...this.#queue.slice(index));
        break;
      }
    }
    this.#queue = staying;
    this.#waiting -= flight.waiters.length;
    for (const key of flight.held) this.#hold(key);
    return flight;
  }

  /** Records the keys of the flight. */
  #mayTake(call: Call, flight: Flight<Call, Result>): boolean {
    const key = this.#keyOf(call);
    if (key === undefined) return true;
    if (this.#held.has(key)) return false;
    flight.held.add(key);
    return true;
  }

  #keyOf(call: Call | undefined): string | undefined {
    return call === undefined ? undefined : this.#options.holdBy?.(call);
  }

  #hold(key: string): void {
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  #release(key: string): void {
    const left = (this.#held.get(key) ?? 1) - 1;
    if (left === 0) this.#held.delete(key);
    else this.#held.set(key, left);
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    setTimeout(() => {
      this.#isTicking = false;
      // Until the next check, so that no call is answered after its deadline.
      const until = this.#options.clock.now() + this.#tickMs;
      this.#dismissLate(this.#queue, 'pool_exhausted', until);
      for (const { waiters, hasLeft } of this.#flights)
        this.#dismissLate(waiters, hasLeft ? 'statement_timeout' : 'pool_exhausted', until);
      if (this.#waiting + this.#flights.size > 0) this.#tick();
    }, this.#tickMs).unref();
  }

  #dismissLate(
    waiters: readonly Waiter<Call, Result>[],
    code: 'statement_timeout' | 'pool_exhausted',
    until: number,
  ): void {
    for (const waiter of waiters)
      if (!waiter.isOver && waiter.deadline <= until) this.#dismiss(waiter, new AppError(code));
  }

  #start(flight: Flight<Call, Result>): void {
    const { onSent, clock } = this.#options;
    const size = flight.calls.length;
    this.#isQuiet = flight.waiters.length === 1;
    flight.leftAtMs = this.#pace.left();
    onSent?.(size, clock.now() - flight.since);
    this.#inFlight += 1;
    void this.#send(flight, true);
  }

  /** Never rejects: its calls get the result. `isCounted` is false for a part of a batch in flight. */
  async #send(flight: Flight<Call, Result>, isCounted: boolean): Promise<void> {
    const { trace, isFaultOfCalls } = this.#options;
    const { calls } = flight;
    this.#flights.add(flight);
    try {
      const results =
        trace === undefined
          ? await this.#make(flight)
          : await trace.over(flight.traced, calls.length)(async () => this.#make(flight));
      if (isCounted) this.#pace.took(flight.leftAtMs);
      this.#sendAside(flight, flight.settle(results, isDeferred));
      this.#land(flight, isCounted);
    } catch (error) {
      const isHalved = calls.length > 1 && isFaultOfCalls(error);
      if (isHalved) await this.#sendHalves(flight);
      this.#land(flight, isCounted);
      if (!isHalved) flight.reject(error);
    }
  }

  /** In the turn in which the callers get their results, so that their next calls may be sent at once. */
  #land(flight: Flight<Call, Result>, isCounted: boolean): void {
    this.#flights.delete(flight);
    for (const key of flight.held) this.#release(key);
    if (isCounted) this.#inFlight -= 1;
    this.#schedule();
  }

  /** Not awaited: the wait of deferred calls must not delay the others of their batch. */
  #sendAside(flight: Flight<Call, Result>, places: readonly number[]): void {
    const aside = new Map<string, number[]>();
    const back: Waiter<Call, Result>[] = [];
    for (const place of places) {
      const key = this.#keyOf(flight.calls[place]);
      const before = key === undefined ? undefined : aside.get(key);
      if (before === undefined) aside.set(key ?? `place ${place}`, [place]);
      else if (this.#options.restsTogether === true) before.push(place);
      else back.push(...flight.at(place));
    }
    for (const together of aside.values()) void this.#sendRest(flight.part(together));
    this.#takeBack(back);
  }

  #takeBack(waiters: readonly Waiter<Call, Result>[]): void {
    if (waiters.length === 0) return;
    for (const waiter of waiters) waiter.flight = undefined;
    this.#waiting += waiters.length;
    this.#queue = [...waiters, ...this.#queue];
  }

  async #make(flight: Flight<Call, Result>): Promise<readonly (Result | typeof deferred)[]> {
    const { one, many } = this.#options;
    const { calls } = flight;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one result; it may be undefined.
    if (calls.length === 1) return [await one(calls[0] as Call, flight)];
    const results = await many(calls, flight);
    if (results.length === calls.length) return results;
    throw new Error('a batch returned a different number of results than calls');
  }

  async #sendRest(flight: Flight<Call, Result>): Promise<void> {
    const key = this.#keyOf(flight.calls[0]);
    if (key !== undefined) {
      flight.held.add(key);
      this.#hold(key);
    }
    this.#flights.add(flight);
    try {
      this.#sendAside(flight, flight.settle(await this.#options.rest(flight.calls, flight), isDeferred));
    } catch (error) {
      flight.reject(error);
    }
    this.#land(flight, false);
  }

  async #sendHalves(flight: Flight<Call, Result>): Promise<void> {
    const middle = Math.ceil(flight.calls.length / 2);
    const places = [...flight.calls.keys()];
    const halves = [flight.part(places.slice(0, middle)), flight.part(places.slice(middle))];
    await Promise.all(halves.map(async (half) => this.#send(half, false)));
  }

  readonly #onLeave = (waiter: Waiter<Call, Result>): void => {
    if (waiter.flight === undefined || this.#options.isInterruptible) this.#dismiss(waiter, waiter.signal?.reason);
    if (this.#queue.length > this.#waiting + maxLeft) this.#queue = this.#queue.filter(({ isOver }) => !isOver);
  };

  /** Answers one caller before the result. A statement that may be cancelled ends with its last caller. */
  #dismiss(waiter: Waiter<Call, Result>, reason: unknown): void {
    if (waiter.isOver) return;
    const { flight } = waiter;
    waiter.reject(reason);
    if (flight === undefined) this.#waiting -= 1;
    else flight.lose(reason);
  }
}
