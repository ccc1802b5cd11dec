import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Turn } from '../lib/turn.ts';
import type { BatchTrace, TracedCall } from '../telemetry/batch-trace.ts';
import type { Asker } from './caller.ts';

/** In place of a result: this call was left out, and is to be made alone. */
export const alone: unique symbol = Symbol('alone');

export function isAlone(result: unknown): result is typeof alone {
  return result === alone;
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
  readonly interrupt: AbortSignal;
  /** The latest of its callers' deadlines, by the clock. Each caller is answered by its own. */
  readonly deadline: number;
  /** The first caller. */
  readonly asker: Asker | undefined;
  /** To be called when the statement leaves: before that, nothing can have happened. */
  readonly onLeft: () => void;
}

export interface BatchOptions<Call, Result> extends BatchLimits {
  /** Makes the only call there is. */
  readonly one: (call: Call, sending: Sending) => Promise<Result | typeof alone>;
  /** Makes several calls in one statement; results come in the order of the calls. */
  readonly many: (calls: readonly Call[], sending: Sending) => Promise<readonly (Result | typeof alone)[]>;
  /** Makes a call that was left out. */
  readonly rest: (call: Call, sending: Sending) => Promise<Result>;
  /** Calls with the same key share one place, and its result, until they are sent. */
  readonly shareBy?: ((call: Call) => string) | undefined;
  /** Whether the failure is that of the calls, so that a part of them may succeed without the others. */
  readonly isFaultOfCalls: (error: unknown) => boolean;
  /** Whether a sent call may be given up; if not, it answers its caller whatever happens. */
  readonly isInterruptible: boolean;
  readonly clock: Clock;
  readonly turn: Turn;
  /** Undefined when there are to be no traces. */
  readonly trace?: BatchTrace | undefined;
  /** Told of each batch that leaves, and how long the first of its calls has waited. Its halves are not told. */
  readonly onSent?: ((size: number, waitMs: number) => void) | undefined;
}

interface Waiter<Result> {
  readonly since: number;
  readonly deadline: number;
  readonly traced: TracedCall | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: Lifetime;
  readonly asker: Asker | undefined;
  readonly onAbort: () => void;
}

/** One place in a batch. */
interface Entry<Call, Result> {
  readonly call: Call;
  /** In the order in which they came. */
  readonly waiters: Set<Waiter<Result>>;
  flight: Flight | undefined;
}

/** What was sent together. */
interface Flight {
  readonly interrupt: AbortController;
  wanted: number;
  /** Whether it has a connection: until then, its calls wait. */
  hasLeft: boolean;
}

/** Between two looks for calls whose time is over, as a part of the time of a call, and at most. */
const tick = { part: 1 / 20, maxMs: 100 };

/**
 * Gathers single calls into statements over arrays. The calls of one turn of the event loop leave together, and those
 * that come while `maxInFlight` statements are running wait and leave together: a call is always served by a statement
 * that starts after it arrived, so it can never read older than its caller. With little load a statement holds one call.
 *
 * Rejects with the statement's own error; with `pool_exhausted` when too many wait, or for too long; with `statement_timeout`
 * when a call has left and its time is over, whatever its connection still does; with the signal's reason when the caller
 * leaves, which ends the statement only when it was the last caller of it. When a statement fails
 * by the fault of its calls, it is halved until the guilty call is alone. Technique: DataLoader, with back-pressure.
 */
export class Batch<Call, Result> {
  readonly #options: BatchOptions<Call, Result>;
  readonly #queue = new Set<Entry<Call, Result>>();
  readonly #shared = new Map<string, Entry<Call, Result>>();
  readonly #sent = new Set<Entry<Call, Result>>();
  #inFlight = 0;
  #waiting = 0;
  #isScheduled = false;
  readonly #tickMs: number;
  /** One timer for all calls: one for each would cost each of them. Runs only while there are calls. */
  #isTicking = false;

  constructor(options: BatchOptions<Call, Result>) {
    this.#options = options;
    this.#tickMs = Math.min(options.maxWaitMs * tick.part, tick.maxMs);
  }

  /** Calls that wait, and statements that run. */
  get load(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#waiting, inFlight: this.#inFlight };
  }

  /** `deadline` is by the clock, for a call that has had a part of its time already. */
  async call(call: Call, signal: Lifetime, asker?: Asker, deadline?: number): Promise<Result> {
    signal.throwIfAborted();
    if (this.#waiting >= this.#options.maxWaiting) throw new AppError('pool_exhausted');
    const entry = this.#entryFor(call);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const since = this.#options.clock.now();
    const traced = this.#options.trace?.begin();
    const onAbort = (): void => this.#leave(entry, waiter);
    const waiter: Waiter<Result> = {
      since,
      deadline: deadline ?? since + this.#options.maxWaitMs,
      traced,
      resolve,
      reject,
      signal,
      asker,
      onAbort,
    };
    signal.addEventListener('abort', waiter.onAbort, { once: true });
    entry.waiters.add(waiter);
    this.#waiting += 1;
    this.#schedule();
    this.#tick();
    return await promise;
  }

  /** Every call, sent or not, rejects with this at once. For a server of which is known that it will not answer. */
  rejectAll(reason: Error): void {
    for (const entry of [...this.#queue, ...this.#sent]) {
      entry.flight?.interrupt.abort(reason);
      this.#reject(entry, reason);
    }
    this.#queue.clear();
    this.#shared.clear();
  }

  #entryFor(call: Call): Entry<Call, Result> {
    const key = this.#options.shareBy?.(call);
    const known = key === undefined ? undefined : this.#shared.get(key);
    if (known !== undefined) return known;
    const entry = { call, waiters: new Set<Waiter<Result>>(), flight: undefined };
    this.#queue.add(entry);
    if (key !== undefined) this.#shared.set(key, entry);
    return entry;
  }

  /** At the end of the turn, so that all calls of one turn are there; without batches there is nothing to wait for. */
  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= this.#options.maxInFlight || this.#queue.size === 0) return;
    if (this.#options.maxSize === 1) return this.#fill();
    this.#isScheduled = true;
    this.#options.turn.atEnd(() => {
      this.#isScheduled = false;
      this.#fill();
    });
  }

  #fill(): void {
    while (this.#inFlight < this.#options.maxInFlight && this.#queue.size > 0) {
      const entries = this.#take();
      if (entries.length > 0) this.#start(entries);
    }
  }

  /** The oldest calls, less those whose time is over. */
  #take(): Entry<Call, Result>[] {
    const { maxSize, clock, shareBy } = this.#options;
    const now = clock.now();
    const taken: Entry<Call, Result>[] = [];
    for (const entry of this.#queue) {
      if (taken.length === maxSize) break;
      this.#queue.delete(entry);
      if (shareBy !== undefined) this.#shared.delete(shareBy(entry.call));
      this.#dismissLate(entry, now);
      if (entry.waiters.size > 0) taken.push(entry);
    }
    return taken;
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    setTimeout(() => {
      this.#isTicking = false;
      // Until the next look: nobody is answered after their deadline.
      const until = this.#options.clock.now() + this.#tickMs;
      for (const entry of [...this.#queue, ...this.#sent]) this.#dismissLate(entry, until);
      if (this.#queue.size + this.#sent.size > 0) this.#tick();
    }, this.#tickMs).unref();
  }

  #dismissLate(entry: Entry<Call, Result>, until: number): void {
    const code = entry.flight?.hasLeft === true ? 'statement_timeout' : 'pool_exhausted';
    for (const waiter of entry.waiters) if (waiter.deadline <= until) this.#dismiss(entry, waiter, new AppError(code));
  }

  #start(entries: readonly Entry<Call, Result>[]): void {
    const { onSent, clock } = this.#options;
    onSent?.(entries.length, clock.now() - sinceOf(entries));
    this.#inFlight += 1;
    for (const entry of entries) {
      this.#sent.add(entry);
      this.#waiting -= entry.waiters.size;
    }
    void this.#send(entries).then(() => {
      this.#inFlight -= 1;
      this.#schedule();
    });
  }

  /** Never rejects: the calls are told. */
  async #send(entries: readonly Entry<Call, Result>[]): Promise<void> {
    const { one, many, isFaultOfCalls, trace } = this.#options;
    const [first] = entries;
    if (first === undefined) return;
    const traced = trace === undefined ? untraced : trace.over(tracedOf(entries), entries.length);
    const sending = this.#sendingOf(entries);
    try {
      if (entries.length === 1) this.#settleAll(entries, [await traced(async () => one(first.call, sending))]);
      else this.#settleAll(entries, await traced(async () => many(callsOf(entries), sending)));
    } catch (error) {
      if (entries.length > 1 && isFaultOfCalls(error)) await this.#sendHalves(entries);
      else for (const entry of entries) this.#reject(entry, error);
    }
  }

  async #sendRest(entry: Entry<Call, Result>): Promise<void> {
    try {
      this.#settle(entry, await this.#options.rest(entry.call, this.#sendingOf([entry])));
    } catch (error) {
      this.#reject(entry, error);
    }
  }

  async #sendHalves(entries: readonly Entry<Call, Result>[]): Promise<void> {
    const middle = Math.ceil(entries.length / 2);
    await Promise.all([this.#send(entries.slice(0, middle)), this.#send(entries.slice(middle))]);
  }

  #sendingOf(entries: readonly Entry<Call, Result>[]): Sending {
    const wanted = entries.filter(({ waiters }) => waiters.size > 0);
    const flight: Flight = { interrupt: new AbortController(), wanted: wanted.length, hasLeft: false };
    for (const entry of entries) entry.flight = flight;
    if (wanted.length === 0) flight.interrupt.abort();
    const { signal: interrupt } = flight.interrupt;
    const onLeft = (): void => {
      flight.hasLeft = true;
    };
    return { interrupt, deadline: latestOf(wanted), asker: askerOf(entries), onLeft };
  }

  #settleAll(entries: readonly Entry<Call, Result>[], results: readonly (Result | typeof alone)[]): void {
    if (results.length !== entries.length)
      throw new Error('a batch brought another number of results than it had calls');
    for (const [index, result] of results.entries()) {
      const entry = entries[index];
      if (entry === undefined) continue;
      // Not waited for: what keeps this call waiting must not keep its neighbours.
      if (isAlone(result)) void this.#sendRest(entry);
      else this.#settle(entry, result);
    }
  }

  #settle(entry: Entry<Call, Result>, result: Result): void {
    for (const waiter of this.#end(entry)) waiter.resolve(result);
  }

  #reject(entry: Entry<Call, Result>, reason: unknown): void {
    if (entry.flight === undefined) this.#waiting -= entry.waiters.size;
    for (const waiter of this.#end(entry)) waiter.reject(reason);
  }

  #end(entry: Entry<Call, Result>): readonly Waiter<Result>[] {
    const waiters = [...entry.waiters];
    for (const { signal, onAbort } of waiters) signal.removeEventListener('abort', onAbort);
    entry.waiters.clear();
    this.#sent.delete(entry);
    return waiters;
  }

  #leave(entry: Entry<Call, Result>, waiter: Waiter<Result>): void {
    if (entry.flight === undefined || this.#options.isInterruptible) this.#dismiss(entry, waiter, waiter.signal.reason);
  }

  /** Answers one caller before there is a result. A statement that may be given up ends with its last caller. */
  #dismiss(entry: Entry<Call, Result>, waiter: Waiter<Result>, reason: unknown): void {
    const { flight } = entry;
    entry.waiters.delete(waiter);
    waiter.signal.removeEventListener('abort', waiter.onAbort);
    waiter.reject(reason);
    if (flight === undefined) this.#waiting -= 1;
    if (entry.waiters.size > 0) return;
    if (flight === undefined) this.#forget(entry);
    else if (this.#options.isInterruptible && (flight.wanted -= 1) === 0) flight.interrupt.abort(reason);
  }

  #forget(entry: Entry<Call, Result>): void {
    this.#queue.delete(entry);
    const key = this.#options.shareBy?.(entry.call);
    if (key !== undefined && this.#shared.get(key) === entry) this.#shared.delete(key);
  }
}

/** When the call came that waits longest: the first of the first entry. */
function sinceOf<Call, Result>([oldest]: readonly Entry<Call, Result>[]): number {
  const [waiter] = oldest?.waiters ?? [];
  return waiter?.since ?? 0;
}

function askerOf<Call, Result>([first]: readonly Entry<Call, Result>[]): Asker | undefined {
  const [waiter] = first?.waiters ?? [];
  return waiter?.asker;
}

function latestOf<Call, Result>(entries: readonly Entry<Call, Result>[]): number {
  let latest = 0;
  for (const { waiters } of entries) for (const { deadline } of waiters) latest = Math.max(latest, deadline);
  return latest;
}

async function untraced<T>(work: () => Promise<T>): Promise<T> {
  return await work();
}

function tracedOf<Call, Result>(entries: readonly Entry<Call, Result>[]): TracedCall[] {
  return entries.flatMap(({ waiters }) => [...waiters].flatMap(({ traced }) => traced ?? []));
}

function callsOf<Call, Result>(entries: readonly Entry<Call, Result>[]): readonly Call[] {
  return entries.map(({ call }) => call);
}
