import type { Clock } from '../lib/clock.ts';
import type { Collect, Collection } from './collection.ts';
import { mergeSnapshots, onlyCounted } from './merge-snapshots.ts';
import type { Snapshot } from './metrics.ts';

/** One worker process that serves, and what it has counted; undefined when it did not answer in time. */
export interface MeasuredWorker {
  /** Of the process: its successor has another one. */
  readonly id: number;
  readonly snapshot: Snapshot | undefined;
}

export interface CollectorOptions {
  /** Asks every worker that serves; takes a second at most, and never rejects. */
  readonly measureWorkers: () => Promise<readonly MeasuredWorker[]>;
  /** What the supervisor knows, of itself and the workers, of which so many have been silent. */
  readonly measureSupervisor: (silent: number) => Snapshot;
  readonly measurePostgres: () => Promise<Snapshot>;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** A worker that is killed takes with it what it has counted since it was last asked: never more than this. */
const everyMs = 2_000;

/**
 * Puts together what all processes have counted. It asks the workers every two seconds even when nobody asks it, and keeps
 * what those have counted that are gone or silent: a total never falls.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #last = new Map<number, Snapshot>();
  #ofTheDead: Snapshot = {};
  #newest: { readonly collection: Collection; readonly atMs: number } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<Collection> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#inTurn(async () => this.#askWorkers()), everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  readonly collect: Collect = async (maxAgeMs = 0) => {
    const age = this.#options.clock.now() - (this.#newest?.atMs ?? Number.NEGATIVE_INFINITY);
    if (this.#newest !== undefined && maxAgeMs > 0 && age <= maxAgeMs) return this.#newest.collection;
    // Who comes while one is made waits for the next: what he has seen happen may be missing in this one.
    this.#next ??= this.#inTurn(async () => {
      this.#next = undefined;
      return await this.#make();
    });
    return await this.#next;
  };

  /** One at a time: of two that overlap, the older could bring a dead worker back, and it would be counted twice. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#running.then(work);
    this.#running = turn.catch(() => undefined);
    return turn;
  }

  async #make(): Promise<Collection> {
    const { measurePostgres, measureSupervisor, clock, wallMs } = this.#options;
    const [silent, postgres] = await Promise.all([this.#askWorkers(), measurePostgres()]);
    const ofWorkers = [...this.#last].map(([id, snapshot]) => (silent.has(id) ? onlyCounted(snapshot) : snapshot));
    const metrics = mergeSnapshots([this.#ofTheDead, ...ofWorkers, measureSupervisor(silent.size), postgres]);
    const collection = { atMs: wallMs(), metrics };
    this.#newest = { collection, atMs: clock.now() };
    return collection;
  }

  /** Resolves with the workers that did not answer. */
  async #askWorkers(): Promise<ReadonlySet<number>> {
    const measured = await this.#options.measureWorkers();
    const alive = new Set(measured.map(({ id }) => id));
    for (const [id, snapshot] of this.#last) if (!alive.has(id)) this.#bury(id, snapshot);
    for (const { id, snapshot } of measured) if (snapshot !== undefined) this.#last.set(id, snapshot);
    return new Set(measured.flatMap(({ id, snapshot }) => (snapshot === undefined ? [id] : [])));
  }

  #bury(id: number, snapshot: Snapshot): void {
    this.#last.delete(id);
    this.#ofTheDead = mergeSnapshots([this.#ofTheDead, onlyCounted(snapshot)]);
  }
}
