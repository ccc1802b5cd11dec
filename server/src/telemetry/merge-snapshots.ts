import { declarationOf, metricTable, type MetricName } from './metric-table.ts';
import type { Series, Snapshot } from './metrics.ts';

export const metricNames: readonly MetricName[] = Object.keys(metricTable).filter(
  (name): name is MetricName => name in metricTable,
);

/** Merges the metrics of several processes: sums, or the maximum where the table says so. In the order of the table. */
export function mergeSnapshots(snapshots: readonly Snapshot[]): Snapshot {
  const merged: Snapshot = {};
  for (const name of metricNames) {
    const series = snapshots.flatMap((snapshot) => snapshot[name] ?? []);
    if (series.length > 0) merged[name] = mergeSeries(name, series);
  }
  return merged;
}

function mergeSeries(name: MetricName, all: readonly Series[]): Series[] {
  const combine = declarationOf(name).across === 'max' ? Math.max : (a: number, b: number): number => a + b;
  const merged = new Map<string, Series>();
  for (const { labels, values } of all) {
    const key = labels.join('\u0000');
    const known = merged.get(key)?.values;
    const both = known?.map((value, n) => combine(value, values[n] ?? 0));
    merged.set(key, { labels, values: both ?? [...values] });
  }
  return [...merged.values()];
}

/** What remains of a process that ended or does not answer: its counters, without its gauges. */
export function onlyCounted(snapshot: Snapshot): Snapshot {
  const counted = metricNames.filter((name) => declarationOf(name).kind !== 'gauge');
  return Object.fromEntries(counted.flatMap((name) => (snapshot[name] === undefined ? [] : [[name, snapshot[name]]])));
}
