import { declarationOf, type MetricName } from './metric-table.ts';

/** The values of one metric for one set of labels. */
export interface Series {
  /** In the order of the declaration. */
  readonly labels: readonly string[];
  /** A counter or gauge: its value. A histogram: how many fell into each bucket, into none, and the sum of all. */
  readonly values: number[];
}

/** All that one process has counted, or all that several have, put together. Plain data: it travels between processes. */
export type Snapshot = Partial<Record<MetricName, readonly Series[]>>;

/**
 * What one process counts. Plain numbers, because `prom-client` looks labels up anew for each value it is given, which is
 * ten times the cost; it makes the text (`render-metrics.ts`). Who counts in a hot place keeps the series.
 */
export class Metrics {
  readonly #series = new Map<MetricName, Map<string, Series>>();

  /** The series of these labels, which begins at zero. */
  series(name: MetricName, ...labels: readonly string[]): Series {
    const known = this.#series.get(name) ?? new Map<string, Series>();
    this.#series.set(name, known);
    const key = labels.join('\u0000');
    let series = known.get(key);
    if (series === undefined) known.set(key, (series = { labels, values: zeros(name) }));
    return series;
  }

  /** For what is known as a whole: a gauge, or a counter that somebody else counts. */
  set(name: MetricName, value: number, ...labels: readonly string[]): void {
    this.series(name, ...labels).values[0] = value;
  }

  /** Forgets a metric whose labels have changed. */
  clear(name: MetricName): void {
    this.#series.delete(name);
  }

  snapshot(): Snapshot {
    return Object.fromEntries([...this.#series].map(([name, series]) => [name, [...series.values()]]));
  }
}

function zeros(name: MetricName): number[] {
  const { buckets } = declarationOf(name);
  return Array.from({ length: buckets === undefined ? 1 : buckets.length + 2 }, () => 0);
}

/** To a counter or gauge. */
export function add({ values }: Series, amount: number): void {
  values[0] = (values[0] ?? 0) + amount;
}

/** Into a histogram with these buckets. */
export function observe({ values }: Series, buckets: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket += 1;
  values[bucket] = (values[bucket] ?? 0) + 1;
  const sum = buckets.length + 1;
  values[sum] = (values[sum] ?? 0) + value;
}
