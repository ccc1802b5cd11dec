/** Alerts and dashboard: they use existing metrics, and alerts have remedies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from 'yaml';

import { optionTable } from '../../src/config.ts';
import { postgresSettings } from '../../src/embedded/settings.ts';
import { metricTable, type MetricDeclaration } from '../../src/telemetry/metric-table.ts';
import { apiRoutes, trafficRoutes } from '../../src/telemetry/live-sample.ts';
import { read, readCompose } from './files.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[];
  }[];
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With another shape, the assertions fail.
const alerts = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
const rules = alerts.groups.flatMap((group) => group.rules);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As above: the assertions would fail.
const { panels, templating } = JSON.parse(read('deploy/grafana/dashboards/messenger.json')) as Dashboard;
const graphs = panels.filter(({ type }) => type === 'timeseries');

const table: Readonly<Record<string, MetricDeclaration>> = metricTable;
const ofPrometheus = new Set(['le', 'instance', 'job']);

/** The metric of a name in a query: a histogram has three names. */
function declarationOf(name: string): MetricDeclaration | undefined {
  const series = /^(?<base>.+)_(?:bucket|sum|count)$/u.exec(name)?.groups?.['base'];
  const histogram = series === undefined ? undefined : table[series];
  return histogram?.kind === 'histogram' ? histogram : table[name];
}

/** Problems with the metrics and labels of a query. */
function problemsOf(query: string): string[] {
  const names = [...query.matchAll(/\bmessenger_\w+/gu)].map(([name]) => name);
  const declared = names.map((name) => declarationOf(name));
  const known = new Set([...ofPrometheus, ...declared.flatMap((one) => one?.labels ?? [])]);
  const grouped = [...query.matchAll(/\bby \((?<labels>[^)]*)\)/gu)].flatMap(({ groups }) =>
    (groups?.['labels'] ?? '').split(/, */u),
  );
  const matched = [...query.matchAll(/(?<label>\w+)(?:=~|!~|!=|=)"/gu)].map(({ groups }) => groups?.['label'] ?? '');
  return [
    ...names.filter((_name, index) => declared[index] === undefined).map((name) => `${name} is no metric`),
    ...[...grouped, ...matched].filter((label) => !known.has(label)).map((label) => `${label} is no label`),
  ];
}

test('an unknown metric or label is detected', () => {
  assert.deepEqual(problemsOf('sum by (pol) (messenger_db_waiting{pool="read"})'), ['pol is no label']);
  assert.deepEqual(problemsOf('rate(messenger_db_waitings[1m])'), ['messenger_db_waitings is no metric']);
  assert.deepEqual(problemsOf('messenger_workers_bucket{state!~"x"}'), [
    'messenger_workers_bucket is no metric',
    'state is no label',
  ]);
});

test('every alert uses existing metrics and labels', () => {
  for (const { alert, expr } of rules) assert.deepEqual(problemsOf(expr), [], alert);
});

test('alerts and graphs of requests cover only the API; one graph covers the rest', () => {
  const expressions = [
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ...graphs.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ];
  for (const [title, expr] of expressions) {
    const selectors = [
      ...expr.matchAll(/messenger_http_request(?:s_total|_duration_seconds_\w+)(?<labels>\{[^}]*\})?/gu),
    ];
    for (const { groups } of selectors) {
      const route = /route(?<match>[=!]~"[^"]*")/u.exec(groups?.['labels'] ?? '')?.groups?.['match'];
      const allowed = [`=~"${apiRoutes}"`, `=~"${trafficRoutes}"`];
      const other = title === 'Probes, scrapes and pages' ? [`!~"${trafficRoutes}"`] : [];
      assert.ok(route !== undefined && [...allowed, ...other].includes(route), `${title}: ${expr}`);
    }
  }
});

test('every alert has an entry with its remedy in the operations guide', () => {
  const anchors = new Set(
    [...read('docs/operations.md').matchAll(/^- <a id="(?<id>\w+)"><\/a>\*\*\w+:\*\* \S/gmu)].map(
      ({ groups }) => groups?.['id'],
    ),
  );
  for (const { alert, annotations, labels } of rules) {
    assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
    assert.ok(anchors.has(alert.toLowerCase()), annotations.runbook);
    assert.match(labels.severity, /^(?:page|ticket)$/u);
  }
});

test('alerts use the thresholds of the server itself', () => {
  const exprOf = (name: string): string => rules.find(({ alert }) => alert === name)?.expr ?? '';
  assert.ok(exprOf('StandbyLag').endsWith(`> ${optionTable.db.readMaxLagMs.default / 1_000}`));
  assert.equal(postgresSettings.replication.max_slot_wal_keep_size, '1GB');
  assert.ok(exprOf('WalRetention').endsWith('> 512 * 1024 * 1024'), 'half of it');
});

test('a standby whose state changes between kinds of unavailable keeps its alert, with its name', () => {
  const { expr = '', annotations } = rules.find(({ alert }) => alert === 'StandbyAway') ?? {};
  assert.match(expr, /^max by \(instance, standby\) \([^]+\)\s*$/u);
  assert.match(annotations?.summary ?? '', /\{\{ \$labels\.standby \}\}/u);
});

test('every graph uses existing metrics and labels', () => {
  assert.ok(graphs.length > 20);
  for (const { title, targets = [] } of graphs) {
    assert.ok(targets.length > 0, title);
    for (const { expr, legendFormat } of targets) {
      assert.deepEqual(problemsOf(expr), [], title);
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/gu))
        assert.match(expr, new RegExp(String.raw`by \([^)]*\b${label}\b`, 'u'), `${title}: the legend names ${label}`);
    }
  }
});

test('the data source and the instances can be chosen, and every metric of every graph is limited to the choice', () => {
  assert.deepEqual(
    templating.list.map(({ name, type }) => [name, type]),
    [
      ['datasource', 'datasource'],
      ['instance', 'query'],
    ],
  );
  for (const { title, datasource, targets = [] } of graphs) {
    assert.equal(datasource?.uid, '$datasource', title);
    for (const { expr } of targets)
      assert.doesNotMatch(expr, /\bmessenger_\w+(?!\w|\{instance=~"\$instance")/u, `${title}: ${expr}`);
  }
});

test('a healthy instance does not hide the alerts of another one, and each alert names its instance', () => {
  for (const { alert, expr, annotations } of rules) {
    const aggregations = [...expr.matchAll(/\b(?:sum|max|min|avg|count)\b(?! by \((?:instance|job))/gu)];
    const hidden = aggregations.map(([name]) => name);
    assert.deepEqual(hidden, [], `${alert} aggregates over instances`);
    assert.match(annotations.summary, /\{\{ \$labels\.instance \}\}/u, alert);
  }
});

test('the graphs show everything that /ops shows, and nearly all metrics', () => {
  const shown = graphs.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join(' ');
  const ofPage = [...read('server/src/telemetry/live-sample.ts').matchAll(/\bmessenger_\w+/gu)].map(([name]) => name);
  assert.ok(ofPage.length > 20);
  const left = ofPage.filter((name) => !new RegExp(String.raw`\b${name}(?:_bucket)?\b`, 'u').test(shown));
  assert.deepEqual([...new Set(left)], []);
  const forDetail = /^messenger_(?:process_cpu_|postgres_monitored)/u;
  const neither = Object.keys(metricTable).filter((name) => !shown.includes(name) && !forDetail.test(name));
  assert.deepEqual(neither, []);
});

test('graphs do not overlap, and stay on the page', () => {
  for (const [index, { gridPos: a, title }] of panels.entries()) {
    assert.ok(a.x + a.w <= 24, title);
    for (const { gridPos: b, title: other } of panels.slice(index + 1)) {
      const isApart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      assert.ok(isApart, `${title} and ${other}`);
    }
  }
});

test('Prometheus scrapes the port of the server, with its token', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With another shape, the assertions fail.
  const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as {
    scrape_configs: {
      dns_sd_configs: { names: string[]; port: number }[];
      authorization: { credentials_file: string };
    }[];
  };
  const { messenger, prometheus } = readCompose('deploy/compose.yaml').services;
  const targets = jobs.flatMap((job) => job.dns_sd_configs.map(({ names, port }) => [...names, port]));
  assert.deepEqual(targets, [['messenger', optionTable.server.port.default]]);
  const tokens = jobs.map((job) => job.authorization.credentials_file);
  assert.deepEqual(tokens, [messenger?.environment?.['METRICS_TOKEN_FILE']]);
  assert.deepEqual(prometheus?.secrets, ['metrics_token']);
});
