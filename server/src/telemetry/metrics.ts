import { declarationOf, type MetricName } from './metric-table.ts';

/** One series: a metric with one set of labels. */
export interface Series {
  /** In the order of the metric's label names. */
  readonly labels: readonly string[];
  /** A counter or gauge: its value. A histogram: the count of each bucket, the count above all buckets, and the sum. */
  readonly values: number[];
}

/** The metrics of one process, or of several, merged. Plain data that is sent between processes. */
export type Snapshot = Partial<Record<MetricName, readonly Series[]>>;

/**
 * The metrics of this process. Plain numbers, because `prom-client` looks labels up for each value, at ten times the cost; it
 * only renders the text (`render-metrics.ts`). Hot paths keep the series.
 */
export class Metrics {
  readonly #series = new Map<MetricName, Map<string, Series>>();

  /** The series with these labels; a new one starts at zero. */
  series(name: MetricName, ...labels: readonly string[]): Series {
    const known = this.#series.get(name) ?? new Map<string, Series>();
    this.#series.set(name, known);
    const key = labels.join('\u0000');
    let series = known.get(key);
    if (series === undefined) known.set(key, (series = { labels, values: zeros(name) }));
    return series;
  }

  /** Sets a gauge, or a counter whose total is counted elsewhere. */
  set(name: MetricName, value: number, ...labels: readonly string[]): void {
    this.series(name, ...labels).values[0] = value;
  }

  /** Removes all series of a metric. */
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

/** Adds to a counter or gauge. */
export function add({ values }: Series, amount: number): void {
  values[0] = (values[0] ?? 0) + amount;
}

/** Adds a value to a histogram with these buckets. */
export function observe({ values }: Series, buckets: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket += 1;
  values[bucket] = (values[bucket] ?? 0) + 1;
  const sum = buckets.length + 1;
  values[sum] = (values[sum] ?? 0) + value;
}
