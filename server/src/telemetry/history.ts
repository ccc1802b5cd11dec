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

/** Values of `historyColumns`; null: not measured. */
export type HistoryRow = readonly (number | null)[];

/** The longest span that a page shows: 15 minutes, and one sample each 750 ms. */
const historyRows = 1_200;

/** The newest 1,200 figures. */
export class History {
  readonly #mostRows: number;
  #rows: readonly HistoryRow[] = [];
  #count = 0;

  constructor(mostRows = historyRows) {
    this.#mostRows = mostRows;
  }

  /** How many were added in total. */
  get count(): number {
    return this.#count;
  }

  add(figures: Figures): void {
    this.#rows = [...this.#rows, historyColumns.map((name) => rounded(name, figures[name]))].slice(-this.#mostRows);
    this.#count += 1;
  }

  /** The kept rows after the first `count`, oldest first. */
  since(count: number): readonly HistoryRow[] {
    return this.#rows.slice(Math.max(0, this.#rows.length - (this.#count - Math.max(0, count))));
  }
}

/** Four digits are enough for a plot, and halve the text. */
function rounded(name: keyof Figures, value: number | undefined): number | null {
  if (value === undefined || name === 'atMs') return value ?? null;
  return Number(value.toPrecision(4));
}
