/** deploy/prometheus, checked by Prometheus' own promtool: each alert with synthetic series. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { parse, stringify } from 'yaml';

import { metricNames } from '../../src/telemetry/merge-snapshots.ts';
import { declarationOf } from '../../src/telemetry/metric-table.ts';
import { add, Metrics, observe } from '../../src/telemetry/metrics.ts';
import { formatFor, renderMetrics } from '../../src/telemetry/render-metrics.ts';
import { assertCleanMetrics, noPromtool, promtool } from '../promtool.ts';
import { read, root } from './files.ts';

/** 40 minutes of samples, one in 15 s. */
const all = 'x160';
const always = (value: number): string => `${value}${all}`;
const rising = (perSample: number): string => `0+${perSample}${all}`;

type Series = Readonly<Record<string, string>>;

const request = 'method="GET",route="/api/v1/users"';
const durations = 'messenger_http_request_duration_seconds';
const succeeded = `${request},status="2xx"`;

/** A healthy server with its pair: by series, without the labels that a scrape adds. */
const healthy: Series = {
  'up{}': always(1),
  [`messenger_http_requests_total{${request},status="2xx"}`]: rising(1_000),
  [`messenger_http_requests_total{${request},status="5xx"}`]: always(0),
  [`${durations}_bucket{${succeeded},le="0.01"}`]: rising(1_000),
  [`${durations}_bucket{${succeeded},le="10"}`]: rising(1_000),
  [`${durations}_bucket{${succeeded},le="+Inf"}`]: rising(1_000),
  [`${durations}_count{${succeeded}}`]: rising(1_000),
  'messenger_db_wait_seconds_total{pool="write"}': rising(0.01),
  'messenger_http_connections{state="active"}': always(10),
  'messenger_http_connections{state="silent"}': always(50),
  'messenger_http_max_connections{}': always(100),
  'messenger_http_connections_shed_total{reason="silent"}': rising(1_000),
  'messenger_http_connections_shed_total{reason="full"}': always(0),
  'messenger_process_open_files{process="worker"}': always(200),
  'messenger_process_max_open_files{process="worker"}': always(1_000),
  'messenger_worker_restarts_total{}': always(1),
  'messenger_postgres_up{server="primary"}': always(1),
  'messenger_postgres_up{server="standby"}': always(1),
  'messenger_embedded_disk_free_bytes{server="primary"}': always(50 * 2 ** 30),
  'messenger_embedded_disk_size_bytes{server="primary"}': always(100 * 2 ** 30),
  'messenger_backup_last_success_time_seconds{}': always(1_000),
  'messenger_backup_last_failure_time_seconds{}': always(0),
  'messenger_backup_max_age_seconds{}': always(93_600),
  'messenger_postgres_replication_state{standby="standby",state="streaming"}': always(1),
  'messenger_postgres_replication_lag_seconds{standby="standby"}': always(0),
  'messenger_postgres_replication_lag_bytes{standby="standby"}': always(1_000),
  'messenger_postgres_oldest_transaction_seconds{server="primary"}': always(1),
  'messenger_postgres_role{server="primary",role="primary"}': always(1),
  'messenger_postgres_timeline{server="primary"}': always(1),
  'messenger_postgres_connections{server="primary",state="idle"}': always(40),
  'messenger_postgres_connections{server="primary",state="active"}': always(10),
  'messenger_postgres_max_connections{server="primary"}': always(100),
  'messenger_machine_memory_bytes{kind="total"}': always(2 ** 33),
  'messenger_machine_memory_bytes{kind="available"}': always(2 ** 32),
};

/** It has a new address since its replacement. */
const replaced: Series = { 'up{}': '1x80 stale', 'up{replacement="yes"}': '_x80 1x160' };

/** What differs when an alert must fire. */
const sick: Readonly<Record<string, Series>> = {
  MessengerDown: { 'up{}': always(0) },
  MessengerInstanceLost: { 'up{}': '1x80 stale' },
  MessengerErrors: { [`messenger_http_requests_total{${request},status="5xx"}`]: rising(500) },
  MessengerSlow: { [`${durations}_bucket{${succeeded},le="0.01"}`]: rising(100) },
  MessengerPoolWaiting: { 'messenger_db_wait_seconds_total{pool="write"}': rising(150) },
  ClientConnections: { 'messenger_http_connections{state="silent"}': always(80) },
  ClientsTurnedAway: { 'messenger_http_connections_shed_total{reason="full"}': rising(100) },
  OpenFiles: { 'messenger_process_open_files{process="worker"}': always(950) },
  MessengerWorkerRestarts: { 'messenger_worker_restarts_total{}': rising(1) },
  PrimaryDown: { 'messenger_postgres_up{server="primary"}': always(0) },
  PrimaryReadOnly: {
    'messenger_postgres_role{server="primary",role="primary"}': '1x80 stale',
    'messenger_postgres_role{server="primary",role="read_only"}': '_x80 1x160',
  },
  TimelineChanged: { 'messenger_postgres_timeline{server="primary"}': '1x130 2x110' },
  NoStandby: {
    'messenger_postgres_up{server="standby"}': always(0),
    'messenger_postgres_replication_state{standby="standby",state="streaming"}': '1x80 stale',
  },
  PostgresConnections: { 'messenger_postgres_connections{server="primary",state="active"}': always(41) },
  MemoryLow: { 'messenger_machine_memory_bytes{kind="available"}': always(2 ** 29) },
  DiskLow: { 'messenger_embedded_disk_free_bytes{server="primary"}': always(9 * 2 ** 30) },
  BackupOld: { 'messenger_backup_max_age_seconds{}': always(60) },
  BackupFailed: { 'messenger_backup_last_failure_time_seconds{}': always(1_001) },
  DatabaseFault: { 'messenger_embedded_fault{server="primary",reason="disk_full"}': always(1) },
  StandbyAway: {
    'messenger_postgres_up{server="standby"}': always(0),
    'messenger_postgres_replication_state{standby="standby",state="streaming"}': always(0),
    'messenger_postgres_replication_state{standby="standby",state="none"}': always(1),
  },
  StandbyLag: { 'messenger_postgres_replication_lag_seconds{standby="standby"}': always(60) },
  WalRetention: { 'messenger_postgres_replication_lag_bytes{standby="standby"}': always(900 * 2 ** 20) },
  OldTransaction: { 'messenger_postgres_oldest_transaction_seconds{server="primary"}': always(3_000) },
};

const sickInstance = 'messenger-1:8080';

/** Series of one instance, as a scrape labels them. */
function scraped(series: Series, instance: string): readonly object[] {
  const labels = `job="messenger",instance="${instance}"`;
  return Object.entries(series).map(([one, values]) => ({
    series: one.replace(/\{(?<own>.*)\}$/u, (_all, own: string) => `{${own === '' ? '' : `${own},`}${labels}}`),
    values,
  }));
}

/**
 * A test of promtool: how many alerts of this name fire after 40 minutes, and for which instance, beside a healthy one.
 */
function callsOf(name: string, series: Series, which: string, calls: 0 | 1): object {
  const expr = `count by (instance) (ALERTS{alertname=~"${which}",alertstate="firing"}) > bool 0`;
  const samples = calls === 0 ? [] : [{ labels: `{instance="${sickInstance}"}`, value: 1 }];
  return {
    name,
    interval: '15s',
    input_series: [...scraped(series, sickInstance), ...scraped(healthy, 'messenger-2:8080')],
    promql_expr_test: [{ expr, eval_time: '40m', exp_samples: samples }],
  };
}

describe('Prometheus itself', { skip: noPromtool }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'messenger-alerts-'));
    cpSync(join(root, 'deploy/prometheus'), folder, { recursive: true });
    writeFileSync(join(folder, 'metrics_token'), 'token');
  });
  after(() => rmSync(folder, { recursive: true }));

  test('accepts every metric without a warning', async () => {
    const metrics = new Metrics();
    for (const name of metricNames) {
      const { labels, buckets } = declarationOf(name);
      const series = metrics.series(name, ...labels);
      if (buckets === undefined) add(series, 1);
      else observe(series, buckets, 1);
    }
    const text = await renderMetrics(metrics.snapshot(), formatFor(undefined));
    assertCleanMetrics(text);
  });

  test('accepts the configuration, also with the Alertmanager of the operations guide', () => {
    const manager = /^```yaml\n(?<lines>alerting:\n[^]*?)^```$/mu.exec(read('docs/operations.md'))?.groups?.['lines'];
    assert.ok(manager !== undefined);
    const config = readFileSync(join(folder, 'prometheus.yml'), 'utf8').replace('/run/secrets', folder);
    for (const text of [config, config + manager]) {
      writeFileSync(join(folder, 'prometheus.yml'), text);
      promtool(folder, 'check', 'config', 'prometheus.yml');
    }
  });

  test('accepts the alerts; each fires when it must, and none on a healthy system', () => {
    promtool(folder, 'check', 'rules', 'alerts.yml');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- promtool has read the same file.
    const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: { alert: string }[] }[] };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    assert.deepEqual(
      alerts.filter((alert) => sick[alert] === undefined),
      [],
      'each has its series above',
    );
    const tests = [
      callsOf('all is well', healthy, '.+', 0),
      callsOf('a replaced instance is not lost', replaced, 'MessengerInstanceLost', 0),
      ...alerts.map((alert) => callsOf(alert, { ...healthy, ...sick[alert] }, alert, 1)),
    ];
    writeFileSync(
      join(folder, 'tests.yml'),
      stringify({ rule_files: ['alerts.yml'], evaluation_interval: '30s', tests }),
    );
    promtool(folder, 'test', 'rules', 'tests.yml');
  });
});
