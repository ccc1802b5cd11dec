import { AggregatorRegistry, Registry, type OpenMetricsContentType, type PrometheusContentType } from 'prom-client';

import { metricNames } from './merge-snapshots.ts';
import { declarationOf, type MetricDeclaration, type MetricName } from './metric-table.ts';
import type { Series, Snapshot } from './metrics.ts';

type Format = PrometheusContentType | OpenMetricsContentType;

/** The form in which `prom-client` takes metrics of other processes. */
interface PromValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** OpenMetrics when the Accept header names it, else the Prometheus text format. */
export function formatFor(accept: string | undefined): Format {
  return accept?.includes('application/openmetrics-text') === true
    ? Registry.OPENMETRICS_CONTENT_TYPE
    : Registry.PROMETHEUS_CONTENT_TYPE;
}

export async function renderMetrics(snapshot: Snapshot, format: Format): Promise<string> {
  const isOpen = format === Registry.OPENMETRICS_CONTENT_TYPE;
  const metrics = metricNames.flatMap((name) => {
    const series = snapshot[name];
    return series === undefined ? [] : [toProm(name, series, isOpen)];
  });
  const registry = AggregatorRegistry.aggregate<Format>([metrics]);
  registry.setContentType(format);
  return await registry.metrics();
}

function toProm(name: MetricName, series: readonly Series[], isOpen: boolean): object {
  const declaration = declarationOf(name);
  const { kind, help } = declaration;
  const values = series.flatMap((one) =>
    kind === 'histogram'
      ? bucketsOf(name, declaration, one)
      : { labels: labelsOf(declaration, one), value: first(one) },
  );
  // In OpenMetrics a counter is declared without its suffix. prom-client 15 removes it from its own metrics but not
  // from these: their samples would end in `_total_total`.
  const declared = isOpen && kind === 'counter' ? name.replace(/_total$/u, '') : name;
  return { name: declared, type: kind, help: help.replaceAll('`', "'"), aggregator: 'first', values };
}

function first({ values: [value = 0] }: Series): number {
  return value;
}

function labelsOf({ labels }: MetricDeclaration, series: Series): Record<string, string> {
  return Object.fromEntries(labels.map((label, n) => [label, series.labels[n] ?? '']));
}

/** Prometheus' buckets are cumulative. */
function bucketsOf(name: MetricName, declaration: MetricDeclaration, series: Series): PromValue[] {
  const labels = labelsOf(declaration, series);
  const bounds = [...(declaration.buckets ?? []), '+Inf'];
  let count = 0;
  const buckets = bounds.map((le, n) => {
    count += series.values[n] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  const sum = series.values[bounds.length] ?? 0;
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
