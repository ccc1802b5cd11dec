import type { Clock } from '../lib/clock.ts';
import type { Collect, Collection, Measurement } from './collection.ts';
import { mergeSnapshots, onlyCounted } from './merge-snapshots.ts';
import type { Snapshot } from './metrics.ts';
import { mostRecent } from './slow-statements.ts';

/** A serving worker process and its metrics; undefined when it did not answer in time. */
export interface MeasuredWorker {
  /** Of the process: its replacement has another one. */
  readonly id: number;
  /** Its number, which its replacement inherits. */
  readonly worker: number;
  readonly pid: number;
  readonly measurement: Measurement | undefined;
}

export interface CollectorOptions {
  /** Asks every serving worker; resolves within a second, and never rejects. */
  readonly measureWorkers: () => Promise<readonly MeasuredWorker[]>;
  /** The supervisor's own metrics. `silent` workers did not answer. */
  readonly measureSupervisor: (silent: number) => Snapshot;
  readonly measurePostgres: () => Promise<Snapshot>;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/**
 * Merges the metrics of all processes. Counts of workers that ended or do not answer are kept, so a total never decreases. The
 * counts of a killed worker since the last collection are lost, so `LiveWatch` collects continuously.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #last = new Map<number, Snapshot>();
  #retired: Snapshot = {};
  #newest: { readonly collection: Collection; readonly atMs: number } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<Collection> | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  readonly collect: Collect = async (maxAgeMs = 0) => {
    const age = this.#options.clock.now() - (this.#newest?.atMs ?? Number.NEGATIVE_INFINITY);
    if (this.#newest !== undefined && maxAgeMs > 0 && age <= maxAgeMs) return this.#newest.collection;
    // A caller during a collection waits for the next one: this one may lack what happened before the call.
    this.#next ??= this.#inTurn(async () => {
      this.#next = undefined;
      return await this.#make();
    });
    return await this.#next;
  };

  /** One at a time: with two, the older could add a retired worker again, and count it twice. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#running.then(work);
    this.#running = turn.catch(() => undefined);
    return turn;
  }

  async #make(): Promise<Collection> {
    const { measurePostgres, measureSupervisor, clock, wallMs } = this.#options;
    const [measured, postgres] = await Promise.all([this.#askWorkers(), measurePostgres()]);
    const silent = new Set(measured.flatMap(({ id, measurement }) => (measurement === undefined ? [id] : [])));
    const ofWorkers = [...this.#last].map(([id, snapshot]) => (silent.has(id) ? onlyCounted(snapshot) : snapshot));
    const metrics = mergeSnapshots([this.#retired, ...ofWorkers, measureSupervisor(silent.size), postgres]);
    const workers = measured.map(({ worker, pid, measurement }) => ({ worker, pid, metrics: measurement?.metrics }));
    const slowStatements = measured
      .flatMap(({ measurement }) => measurement?.slowStatements ?? [])
      .toSorted((a, b) => b.atMs - a.atMs)
      .slice(0, mostRecent);
    const collection = {
      atMs: wallMs(),
      metrics,
      workers: workers.toSorted((a, b) => a.worker - b.worker),
      slowStatements,
    };
    this.#newest = { collection, atMs: clock.now() };
    return collection;
  }

  async #askWorkers(): Promise<readonly MeasuredWorker[]> {
    const measured = await this.#options.measureWorkers();
    const alive = new Set(measured.map(({ id }) => id));
    for (const [id, snapshot] of this.#last) if (!alive.has(id)) this.#retire(id, snapshot);
    for (const { id, measurement } of measured) if (measurement !== undefined) this.#last.set(id, measurement.metrics);
    return measured;
  }

  #retire(id: number, snapshot: Snapshot): void {
    this.#last.delete(id);
    this.#retired = mergeSnapshots([this.#retired, onlyCounted(snapshot)]);
  }
}
