/** deploy/prometheus, read and run by Prometheus' own promtool: each alert on made-up series. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { parse, stringify } from 'yaml';

import { read, root } from './files.ts';

const promtool = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find((path) => existsSync(path));
const skip = promtool === undefined && 'these tests need promtool: scripts/install-promtool.sh, as root';

/** An hour of samples, one in 15 s. */
const hour = 'x240';
const always = (value: number): string => `${value}${hour}`;
const rising = (perSample: number): string => `0+${perSample}${hour}`;

type Series = Readonly<Record<string, string>>;

const request = 'method="GET",route="/api/v1/users"';
const durations = 'messenger_http_request_duration_seconds';
const succeeded = `${request},status="2xx"`;

/** A server with its pair that does its work: by series, without the labels that a scrape adds. */
const healthy: Series = {
  'up{}': always(1),
  [`messenger_http_requests_total{${request},status="2xx"}`]: rising(1_000),
  [`messenger_http_requests_total{${request},status="5xx"}`]: always(0),
  [`${durations}_bucket{${succeeded},le="0.01"}`]: rising(1_000),
  [`${durations}_bucket{${succeeded},le="10"}`]: rising(1_000),
  [`${durations}_bucket{${succeeded},le="+Inf"}`]: rising(1_000),
  [`${durations}_count{${succeeded}}`]: rising(1_000),
  'messenger_db_wait_seconds_total{pool="write"}': rising(0.01),
  'messenger_worker_restarts_total{}': always(1),
  'messenger_postgres_up{server="primary"}': always(1),
  'messenger_postgres_up{server="standby"}': always(1),
  'messenger_postgres_replication_state{standby="standby",state="streaming"}': always(1),
  'messenger_postgres_replication_lag_seconds{standby="standby"}': always(0),
  'messenger_postgres_replication_lag_bytes{standby="standby"}': always(1_000),
  'messenger_postgres_oldest_transaction_seconds{server="primary"}': always(1),
};

/** What is otherwise when an alert has to call. */
const sick: Readonly<Record<string, Series>> = {
  MessengerDown: { 'up{}': always(0) },
  MessengerErrors: { [`messenger_http_requests_total{${request},status="5xx"}`]: rising(500) },
  MessengerSlow: { [`${durations}_bucket{${succeeded},le="0.01"}`]: rising(100) },
  MessengerPoolWaiting: { 'messenger_db_wait_seconds_total{pool="write"}': rising(150) },
  MessengerWorkerRestarts: { 'messenger_worker_restarts_total{}': rising(1) },
  PrimaryDown: { 'messenger_postgres_up{server="primary"}': always(0) },
  StandbyAway: {
    'messenger_postgres_up{server="standby"}': always(0),
    'messenger_postgres_replication_state{standby="standby",state="streaming"}': always(0),
    'messenger_postgres_replication_state{standby="standby",state="none"}': always(1),
  },
  StandbyLag: { 'messenger_postgres_replication_lag_seconds{standby="standby"}': always(60) },
  WalRetention: { 'messenger_postgres_replication_lag_bytes{standby="standby"}': always(900 * 2 ** 20) },
  OldTransaction: { 'messenger_postgres_oldest_transaction_seconds{server="primary"}': always(3_000) },
};

/** A test of promtool: how many alerts of this kind call after half an hour. Labels and texts are their own affair. */
function callsOf(name: string, series: Series, which: string, calls: 0 | 1): object {
  const scraped = Object.entries(series).map(([one, values]) => {
    const labels = `job="messenger",instance="messenger:8080"`;
    return {
      series: one.replace(/\{(?<own>.*)\}$/u, (_all, own: string) => `{${own === '' ? '' : `${own},`}${labels}}`),
      values,
    };
  });
  const expr = `count(ALERTS{alertname=~"${which}",alertstate="firing"}) > bool 0`;
  const samples = calls === 0 ? [] : [{ labels: '{}', value: 1 }];
  return {
    name,
    interval: '15s',
    input_series: scraped,
    promql_expr_test: [{ expr, eval_time: '30m', exp_samples: samples }],
  };
}

describe('Prometheus itself', { skip }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'messenger-alerts-'));
    cpSync(join(root, 'deploy/prometheus'), folder, { recursive: true });
    writeFileSync(join(folder, 'metrics_token'), 'token');
  });
  after(() => rmSync(folder, { recursive: true }));

  const check = (...args: readonly string[]): void => {
    const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  };

  test('takes the configuration, also with the Alertmanager of the operations guide', () => {
    const manager = /^```yaml\n(?<lines>alerting:\n[^]*?)^```$/mu.exec(read('docs/operations.md'))?.groups?.['lines'];
    assert.ok(manager !== undefined);
    const config = readFileSync(join(folder, 'prometheus.yml'), 'utf8').replace('/run/secrets', folder);
    for (const text of [config, config + manager]) {
      writeFileSync(join(folder, 'prometheus.yml'), text);
      check('check', 'config', 'prometheus.yml');
    }
  });

  test('takes the alerts; each calls when it has to, and none on a healthy system', () => {
    check('check', 'rules', 'alerts.yml');
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
      ...alerts.map((alert) => callsOf(alert, { ...healthy, ...sick[alert] }, alert, 1)),
    ];
    writeFileSync(
      join(folder, 'tests.yml'),
      stringify({ rule_files: ['alerts.yml'], evaluation_interval: '15s', tests }),
    );
    check('test', 'rules', 'tests.yml');
  });
});
