import type { Figures } from './figures.ts';

/** In the order of the columns. */
export const historyColumns = [
  'atMs',
  'succeededPerSecond',
  'rejectedPerSecond',
  'failedPerSecond',
  'refusedPerSecond',
  'p50',
  'p95',
  'p99',
  'inFlight',
  'waiting',
  'byStandby',
  'lagSeconds',
  'machineCpu',
  'ownCpu',
  'memoryBytes',
  'machineMemory',
  'openFiles',
  'disk',
] as const satisfies readonly (keyof Figures)[];

/** Values of `historyColumns`; null where nothing was measured. */
export type HistoryRow = readonly (number | null)[];

/** The longest span that a page shows: 15 minutes, and one sample each 750 ms. */
const historyRows = 1_200;

/** The newest 1,200 figures: 172,800 bytes (18 columns of 8 bytes), allocated at once. */
export class History {
  readonly #values: Float64Array;
  readonly #rows: number;
  #count = 0;

  constructor(rows = historyRows) {
    this.#rows = rows;
    this.#values = new Float64Array(rows * historyColumns.length);
  }

  /** How many were added so far. */
  get count(): number {
    return this.#count;
  }

  add(figures: Figures): void {
    const start = (this.#count % this.#rows) * historyColumns.length;
    for (const [n, name] of historyColumns.entries()) this.#values[start + n] = figures[name] ?? Number.NaN;
    this.#count += 1;
  }

  /** Rows that were added after the first `count`, oldest first, as far as they are kept. */
  since(count: number): readonly HistoryRow[] {
    const first = Math.max(count, this.#count - this.#rows, 0);
    return Array.from({ length: Math.max(0, this.#count - first) }, (_, n) => this.#row(first + n));
  }

  #row(index: number): HistoryRow {
    const start = (index % this.#rows) * historyColumns.length;
    return historyColumns.map((name, n) => {
      const value = this.#values[start + n] ?? Number.NaN;
      if (Number.isNaN(value)) return null;
      return name === 'atMs' ? value : Number(value.toPrecision(4)); // Enough for a plot, and half the text.
    });
  }
}
