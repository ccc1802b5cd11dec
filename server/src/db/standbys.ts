import type { Position } from './position.ts';
import type { Standby } from './standby.ts';

export interface StandbysOptions {
  /** How many successive calls go to the same standby, so that they share a statement. */
  readonly maxTogether: number;
  readonly random: () => number;
}

export type Candidate = Pick<Standby, 'isFit' | 'isPrimary' | 'has' | 'mayHaveSoon' | 'reaches' | 'load'>;

/**
 * Chooses the standby for a read: the fit and sufficiently fresh one with the fewest calls in flight. The order is
 * computed once for the calls of one event-loop turn, up to the size of a statement, so they share statements as with a
 * single standby. The primary, if it is in the list, serves only what no standby can. Equal ones rotate, and each
 * process starts with another one.
 */
export class Standbys<S extends Candidate = Standby> {
  readonly all: readonly S[];
  readonly #options: StandbysOptions;
  #order: readonly S[] | undefined;
  /** Since the order was computed. */
  #taken = 0;
  #turn: number;

  constructor(all: readonly S[], options: StandbysOptions) {
    this.all = all;
    this.#options = options;
    this.#turn = Math.floor(options.random() * all.length);
  }

  /** The current choice; undefined when none is fit and fresh enough. */
  choose(wanted: Position | undefined, except: readonly S[] = []): S | undefined {
    const isRight = (one: S): boolean =>
      one.isFit && (wanted === undefined || one.has(wanted)) && !except.includes(one);
    const order = this.#currentOrder();
    return order.find((one) => !one.isPrimary && isRight(one)) ?? order.find(isRight);
  }

  /** The same, for a call that is sent at once. */
  take(wanted: Position | undefined, except: readonly S[]): S | undefined {
    if (this.#order !== undefined && this.#taken >= this.#options.maxTogether) this.#order = this.#makeOrder();
    const taken = this.choose(wanted, except);
    this.#taken += 1;
    return taken;
  }

  get isAnyFit(): boolean {
    return this.all.some(({ isFit }) => isFit);
  }

  /**
   * Resolves when a fit standby has replayed this position, or when none has within `timeoutMs`; at once when none can.
   */
  async reach(wanted: Position, timeoutMs: number): Promise<void> {
    const near = this.all.filter((one) => one.isFit && one.mayHaveSoon(wanted));
    if (near.length === 0) return;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), timeoutMs);
    const reaching = near.map(async (one) => {
      if (!(await one.reaches(wanted, over.signal))) throw new Error('not in time');
    });
    await Promise.any(reaching).catch(() => undefined);
    clearTimeout(timer);
    over.abort();
  }

  #currentOrder(): readonly S[] {
    if (this.all.length === 1) return this.all;
    if (this.#order === undefined) setImmediate(() => (this.#order = undefined));
    return (this.#order ??= this.#makeOrder());
  }

  #makeOrder(): readonly S[] {
    this.#taken = 0;
    this.#turn = (this.#turn + 1) % this.all.length;
    const inTurn = [...this.all.slice(this.#turn), ...this.all.slice(0, this.#turn)];
    return inTurn.toSorted((one, other) => one.load.inFlight - other.load.inFlight);
  }
}
