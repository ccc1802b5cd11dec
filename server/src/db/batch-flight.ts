import { LightLifetime, type Lifetime } from '../lib/lifetime.ts';
import type { TracedCall } from '../telemetry/batch-trace.ts';
import type { Requester } from './caller.ts';

interface WaiterOptions<Call, Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: Lifetime;
  readonly requester: Requester | undefined;
  readonly since: number;
  /** Called when the caller aborts before the answer. */
  readonly onLeave: (waiter: Waiter<Call, Result>) => void;
}

/**
 * A call and its caller until the answer; then it drops both references. It is the listener of its caller's lifetime, because a closure per
 * call takes a tenth of a call's cost.
 */
export class Waiter<Call, Result> {
  readonly call: Call;
  readonly since: number;
  deadline = 0;
  traced: TracedCall | undefined;
  /** Undefined until it is sent. */
  flight: Flight<Call, Result> | undefined;
  /** The index of its call in the flight. */
  place = 0;
  #options: WaiterOptions<Call, Result> | undefined;

  constructor(call: Call, options: WaiterOptions<Call, Result>) {
    this.call = call;
    this.since = options.since;
    this.#options = options;
    options.signal.addEventListener('abort', this, once);
  }

  /** Whether it is answered. */
  get isOver(): boolean {
    return this.#options === undefined;
  }

  get signal(): Lifetime | undefined {
    return this.#options?.signal;
  }

  get requester(): Requester | undefined {
    return this.#options?.requester;
  }

  handleEvent(): void {
    this.#options?.onLeave(this);
  }

  resolve(result: Result): void {
    this.#end()?.resolve(result);
  }

  reject(reason: unknown): void {
    this.#end()?.reject(reason);
  }

  #end(): WaiterOptions<Call, Result> | undefined {
    const options = this.#options;
    options?.signal.removeEventListener('abort', this);
    this.#options = undefined;
    this.flight = undefined;
    return options;
  }
}

const once = { once: true } as const;

/** Calls that are sent together, with the context of their statement (`Sending`). */
export class Flight<Call, Result> {
  readonly interrupt = new LightLifetime();
  readonly calls: Call[] = [];
  readonly waiters: Waiter<Call, Result>[] = [];
  readonly #isInterruptible: boolean;
  deadline = 0;
  /** Callers without an answer. */
  #wanted = 0;
  /** Whether it has a connection; until then, its calls are pending. */
  hasLeft = false;
  leftAtMs = 0;
  /** Keys that other batches must not use until this one has ended. */
  readonly held = new Set<string>();

  constructor(isInterruptible: boolean) {
    this.#isInterruptible = isInterruptible;
  }

  /** The first waiting caller. */
  get requester(): Requester | undefined {
    return this.waiters.find(({ isOver }) => !isOver)?.requester;
  }

  /** The arrival of the longest waiting call. */
  get since(): number {
    return this.waiters[0]?.since ?? 0;
  }

  get traced(): TracedCall[] {
    return this.waiters.flatMap(({ traced }) => traced ?? []);
  }

  readonly onLeft = (): void => {
    this.hasLeft = true;
  };

  /** Calls with the same key share an entry. Returns false when the flight is full. */
  add(
    waiter: Waiter<Call, Result>,
    maxSize: number,
    places?: Map<string, number>,
    shareBy?: (call: Call) => string,
  ): boolean {
    const key = shareBy?.(waiter.call);
    const place = (key === undefined ? undefined : places?.get(key)) ?? this.calls.length;
    if (place === maxSize) return false;
    if (key !== undefined) places?.set(key, place);
    this.#seat(waiter, place);
    return true;
  }

  /** The waiting callers of an entry. */
  at(place: number): Waiter<Call, Result>[] {
    return this.waiters.filter((waiter) => !waiter.isOver && waiter.place === place);
  }

  /** The calls of these entries, to be sent again, with their waiting callers. */
  part(places: readonly number[]): Flight<Call, Result> {
    const part = new Flight<Call, Result>(this.#isInterruptible);
    const seats = new Map(places.map((place, seat) => [place, seat]));
    part.calls.push(...this.calls.filter((_, place) => seats.has(place)));
    for (const waiter of this.waiters) {
      // Those that an earlier part has taken have a place in that one.
      const seat = waiter.isOver || waiter.flight !== this ? undefined : seats.get(waiter.place);
      if (seat !== undefined) part.#seat(waiter, seat);
    }
    if (part.#wanted === 0) part.interrupt.abort(new Error('no caller of these calls is left'));
    return part;
  }

  /** Answers the callers. Returns the entries with deferred calls. */
  settle<Left extends symbol>(
    results: readonly (Result | Left)[],
    isLeft: (result: unknown) => result is Left,
  ): number[] {
    const left = new Set<number>();
    for (const waiter of this.waiters) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- There is one for each; undefined is a result, too.
      const result = results[waiter.place] as Result | Left;
      if (waiter.isOver) continue;
      if (isLeft(result)) left.add(waiter.place);
      else waiter.resolve(result);
    }
    return [...left];
  }

  reject(reason: unknown): void {
    for (const waiter of this.waiters) waiter.reject(reason);
  }

  /** Removes a caller. After the last one, cancels the statement if possible. */
  lose(reason: unknown): void {
    this.#wanted -= 1;
    if (this.#wanted === 0 && this.#isInterruptible) this.interrupt.abort(reason);
  }

  #seat(waiter: Waiter<Call, Result>, place: number): void {
    if (place === this.calls.length) this.calls.push(waiter.call);
    waiter.place = place;
    waiter.flight = this;
    this.waiters.push(waiter);
    this.#wanted += 1;
    if (waiter.deadline > this.deadline) this.deadline = waiter.deadline;
  }
}
