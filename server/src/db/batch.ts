import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Turn } from '../lib/turn.ts';
import type { BatchTrace } from '../telemetry/batch-trace.ts';
import { Flight, Waiter } from './batch-flight.ts';
import type { Requester } from './caller.ts';
import { Pace } from './pace.ts';

/** In place of a result: this call was left out, and is to be made alone. */
export const deferred: unique symbol = Symbol('deferred');

export function isDeferred(result: unknown): result is typeof deferred {
  return result === deferred;
}

export interface BatchLimits {
  /** Statements of this kind at once. Calls that come meanwhile wait and leave together. */
  readonly maxInFlight: number;
  /** Calls in one statement; 1 switches batches off. */
  readonly maxSize: number;
  /** Calls that wait; one more is refused with `pool_exhausted`. */
  readonly maxWaiting: number;
  /** For a call as a whole, unless it brings its own deadline: its wait, its statement, and all attempts at it. */
  readonly maxWaitMs: number;
}

/** With what a statement is sent. */
export interface Sending {
  /** Aborts when no caller waits for its result any more. */
  readonly interrupt: Lifetime;
  /** The latest of its callers' deadlines, by the clock. Each caller is answered by its own. */
  readonly deadline: number;
  /** The first caller. */
  readonly requester: Requester | undefined;
  /** To be called when the statement leaves: before that, nothing can have happened. */
  readonly onLeft: () => void;
}

export interface BatchOptions<Call, Result> extends BatchLimits {
  /** Makes the only call there is. */
  readonly one: (call: Call, sending: Sending) => Promise<Result | typeof deferred>;
  /** Makes several calls in one statement; results come in the order of the calls. */
  readonly many: (calls: readonly Call[], sending: Sending) => Promise<readonly (Result | typeof deferred)[]>;
  /** Makes a call that was left out. */
  readonly rest: (call: Call, sending: Sending) => Promise<Result>;
  /** Calls with the same key that leave together share one place, and its result. */
  readonly shareBy?: ((call: Call) => string) | undefined;
  /**
   * What a call changes, if it is one thing: while a batch with it is in flight, further calls of the same key wait. Of those that
   * are left out of a batch, one is made alone, and the others wait for it.
   */
  readonly holdBy?: ((call: Call) => string | undefined) | undefined;
  /** Whether the failure is that of the calls, so that a part of them may succeed without the others. */
  readonly isFaultOfCalls: (error: unknown) => boolean;
  /** Whether a sent call may be given up; if not, it answers its caller whatever happens. */
  readonly isInterruptible: boolean;
  readonly clock: Clock;
  readonly turn: Turn;
  /** How busy this worker is, from 0 to 1, less its clients that send one request after the other. Undefined: no spacing. */
  readonly pressure?: (() => number) | undefined;
  /** Undefined when there are to be no traces. */
  readonly trace?: BatchTrace | undefined;
  /** Called once per batch sent, with the longest wait of its calls; retries in halves are not reported. */
  readonly onSent?: ((size: number, waitMs: number) => void) | undefined;
}

/** Between two looks for calls whose time is over, as a part of the time of a call, and at most. */
const tick = { part: 1 / 20, maxMs: 100 };

/** Calls that were left stay in the queue until they are this many more than those that wait. */
const maxLeft = 64;

/**
 * Gathers single calls into statements over arrays. The calls of one turn of the event loop leave together, and those
 * that come while `maxInFlight` statements are running wait and leave together: a call is always served by a statement
 * that starts after it arrived, so it can never read older than its caller. With little load a statement holds one call:
 * when the last one did, and none is in flight, a call leaves at once.
 *
 * Rejects with the statement's own error; with `pool_exhausted` when too many wait, or for too long; with `statement_timeout`
 * when a call has left and its time is over, whatever its connection still does; with the signal's reason when the caller
 * leaves, which ends the statement only when it was the last caller of it. When a statement fails
 * by the fault of its calls, it is halved until the guilty call is alone. Technique: DataLoader, with back-pressure.
 */
export class Batch<Call, Result> {
  readonly #options: BatchOptions<Call, Result>;
  /** With calls that were left, or refused, meanwhile. */
  #queue: Waiter<Call, Result>[] = [];
  readonly #flights = new Set<Flight<Call, Result>>();
  /** Keys of calls in flight, and by how many flights. */
  readonly #held = new Map<string, number>();
  #inFlight = 0;
  #waiting = 0;
  #isScheduled = false;
  /** Whether the last batch had one caller. */
  #isQuiet = false;
  readonly #tickMs: number;
  readonly #pace: Pace;
  /** Defined while calls wait for the interval between batches to end. */
  #spacing: NodeJS.Timeout | undefined;
  /** One timer for all calls: one for each would cost each of them. Runs only while there are calls. */
  #isTicking = false;

  constructor(options: BatchOptions<Call, Result>) {
    this.#options = options;
    this.#pace = new Pace(options.clock, options.pressure);
    this.#tickMs = Math.min(options.maxWaitMs * tick.part, tick.maxMs);
  }

  /** Calls that wait, and statements that run. */
  get load(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#waiting, inFlight: this.#inFlight };
  }

  /** `deadline` is by the clock, for a call that has had a part of its time already. */
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

  /** Every call, sent or not, rejects with this at once. For a server of which is known that it will not answer. */
  rejectAll(reason: Error): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const waiter of queue) this.#dismiss(waiter, reason);
    for (const flight of this.#flights) {
      flight.interrupt.abort(reason);
      flight.reject(reason);
    }
  }

  /** The next batch leaves at the end of the turn, with all calls of the turn, or at the end of the interval. With batches off, a call leaves at once. */
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

  /** The oldest calls, less those whose time is over, and those that wait for what is in flight. */
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

  /** Notes what the flight would hold. */
  #mayTake(call: Call, flight: Flight<Call, Result>): boolean {
    const key = this.#options.holdBy?.(call);
    if (key === undefined) return true;
    if (this.#held.has(key)) return false;
    flight.held.add(key);
    return true;
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
      // Until the next look: nobody is answered after their deadline.
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

  /** Never rejects: the calls are told. `isCounted` is false for a part of a batch that is in flight. */
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

  /** In the turn in which the callers are told: what they call next may leave at once. */
  #land(flight: Flight<Call, Result>, isCounted: boolean): void {
    this.#flights.delete(flight);
    for (const key of flight.held) this.#release(key);
    if (isCounted) this.#inFlight -= 1;
    this.#schedule();
  }

  /** Not waited for: what keeps these calls waiting must not keep their neighbours. Of those of one key, the first goes. */
  #sendAside(flight: Flight<Call, Result>, places: readonly number[]): void {
    const aside = new Set<string>();
    const back: Waiter<Call, Result>[] = [];
    for (const place of places) {
      const callers = flight.at(place);
      const [first] = callers;
      const key = first && this.#options.holdBy?.(first.call);
      if (key !== undefined && aside.has(key)) back.push(...callers);
      else void this.#sendRest(flight.part(place, place + 1), key);
      if (key !== undefined) aside.add(key);
    }
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
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one; it may be undefined.
    if (calls.length === 1) return [await one(calls[0] as Call, flight)];
    const results = await many(calls, flight);
    if (results.length === calls.length) return results;
    throw new Error('a batch brought another number of results than it had calls');
  }

  async #sendRest(flight: Flight<Call, Result>, key: string | undefined): Promise<void> {
    if (key !== undefined) {
      flight.held.add(key);
      this.#hold(key);
    }
    this.#flights.add(flight);
    try {
      for (const call of flight.calls) flight.settle([await this.#options.rest(call, flight)], isDeferred);
    } catch (error) {
      flight.reject(error);
    }
    this.#land(flight, false);
  }

  async #sendHalves(flight: Flight<Call, Result>): Promise<void> {
    const middle = Math.ceil(flight.calls.length / 2);
    const halves = [flight.part(0, middle), flight.part(middle, flight.calls.length)];
    await Promise.all(halves.map(async (half) => this.#send(half, false)));
  }

  readonly #onLeave = (waiter: Waiter<Call, Result>): void => {
    if (waiter.flight === undefined || this.#options.isInterruptible) this.#dismiss(waiter, waiter.signal?.reason);
    if (this.#queue.length > this.#waiting + maxLeft) this.#queue = this.#queue.filter(({ isOver }) => !isOver);
  };

  /** Answers one caller before there is a result. A statement that may be given up ends with its last caller. */
  #dismiss(waiter: Waiter<Call, Result>, reason: unknown): void {
    if (waiter.isOver) return;
    const { flight } = waiter;
    waiter.reject(reason);
    if (flight === undefined) this.#waiting -= 1;
    else flight.lose(reason);
  }
}
