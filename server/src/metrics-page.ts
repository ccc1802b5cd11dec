import type { MetricDeclaration } from './telemetry/metric-table.ts';

/** `docs/metrics.md`, from the table of metrics. */
export function renderMetricsPage(table: Readonly<Record<string, MetricDeclaration>>): string {
  const rows = Object.entries(table).map(([name, { kind, labels, help, buckets, across }]) => {
    const bounds = buckets === undefined ? '' : `. Buckets: ${buckets.join(', ')}`;
    const worst = across === 'max' ? '. The largest of all workers' : '';
    return `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help}${worst}${bounds} |`;
  });
  return [...pageHead, ...rows, ''].join('\n');
}

const pageHead = [
  '<!-- Generated from server/src/telemetry/metric-table.ts by `npm run docs`. Do not edit. -->',
  '',
  '# Metrics',
  '',
  'Every metric of `/metrics`, for all workers and the supervisor together, whichever worker answers. How to read it and who',
  'may: [operations.md](operations.md#metrics). Durations are in seconds and sizes in bytes. Values of counters and histograms',
  'are sums over all workers since the server started, those that are gone included; other values are sums over the workers that',
  'answered.',
  '',
  '| metric | kind | labels | |',
  '|---|---|---|---|',
];
