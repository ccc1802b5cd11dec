import type { MetricName } from '../src/telemetry/metric-table.ts';
import type { Metrics } from '../src/telemetry/metrics.ts';

/**
 * The values of one series: a counter's or gauge's value, a histogram's buckets and sum; undefined when there is none.
 */
export function valuesOf(
  metrics: Metrics,
  name: MetricName,
  ...labels: readonly string[]
): readonly number[] | undefined {
  return metrics.snapshot()[name]?.find((series) => series.labels.join() === labels.join())?.values;
}

/** Of a counter or gauge. */
export function valueOf(metrics: Metrics, name: MetricName, ...labels: readonly string[]): number | undefined {
  return valuesOf(metrics, name, ...labels)?.[0];
}
