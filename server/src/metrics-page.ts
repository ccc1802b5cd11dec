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
  'All metrics of `/metrics`; any worker answers for all workers and the supervisor. Access:',
  '[operations.md](operations.md#metrics). Durations are in seconds, sizes in bytes. Counters and histograms are sums over all',
  'workers since the server started, dead ones included; other values are sums over the workers that answered.',
  '',
  '| metric | kind | labels | |',
  '|---|---|---|---|',
];
