import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Script } from 'node:vm';

import { renderReportPage } from './report-page.ts';
import { figure, share } from './report-page/figures.ts';
import { jsonElement, rawElement } from './report-page/markup.ts';
import type { Latencies, Report } from './report.ts';

const latencies: Latencies = {
  count: 1_240,
  ok: 1_237,
  failed: 3,
  minMs: 0.21,
  maxMs: 804.5,
  meanMs: 1.43,
  stdDevMs: 7.7,
  p50Ms: 0.8,
  p75Ms: 1.1,
  p95Ms: 3.4,
  p99Ms: 17.6,
  requestsPerSecond: 413.3,
  distribution: { under100Ms: 1_230, under500Ms: 6, from500Ms: 1, failed: 3 },
};

const report: Report = {
  version: 1,
  run: {
    type: 'stress',
    users: 50,
    durationSeconds: 3,
    baseUrl: 'http://127.0.0.1:8080',
    checks: 'strict',
    processes: 1,
    startedAt: '2026-03-01T12:00:00.000Z',
    tookMs: 3_000,
    interrupted: false,
  },
  machine: { cpu: 'A fast one', cores: 2, memoryBytes: 8 * 2 ** 30, platform: 'linux x64', node: '26.0.0' },
  verdict: 'failed',
  reasons: ['3 requests failed; 0 may', 'p99 is 17.6 ms; 6 ms may be'],
  total: latencies,
  requests: [{ name: 'Create User', isArrival: false, ...latencies }],
  errors: [{ request: 'Get User By ID', kind: 'stale', count: 3, example: 'names of before the update' }],
  generator: { cpuMs: 900, eventLoopDelayP99Ms: 1.2, eventLoopDelayMaxMs: 9, lateStartsP99Ms: 0.7 },
  probe: { p99StallMs: 0.3, maxStallMs: 12 },
  system: { serverCpuMs: 1_240, databasesCpuMs: 2_480 },
  phases: [],
  timeline: [0, 1, 2].map((second) => ({
    second,
    requests: 413,
    failed: second,
    refused: 0,
    activeUsers: 20,
    p50Ms: 0.8,
    p95Ms: 3.4,
    p99Ms: 17.6,
    maxMs: 804.5,
  })),
  histogram: [
    { upToMs: 0.75, count: 900 },
    { upToMs: 2.5, count: 300 },
    { upToMs: 900, count: 40 },
  ],
};

/** The visible text of the page. */
function visible(page: string): string {
  return page.replaceAll(/<(?<name>script|style|title)[^>]*>[^]*?<\/\k<name>>/gu, '');
}

function scriptsOf(page: string): string[] {
  return [...page.matchAll(/<script>(?<source>[^]*?)<\/script>/gu)].map((match) => match.groups?.['source'] ?? '');
}

describe('the report page', () => {
  test('shows the verdict with its reasons before any figure', async () => {
    const page = visible(await renderReportPage(report));
    const places = ['Failed', 'p99 is 17.6 ms; 6 ms may be', '1,240', 'Create User'].map((text) => page.indexOf(text));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert(!places.includes(-1));
  });

  test('shows the figures of the console block, the errors, and the health of generator and machine', async () => {
    const page = visible(await renderReportPage(report));
    for (const text of [
      '>99th percentile, ms<',
      '>17.6<',
      '>1,230 · 99.19 %<',
      '>stale<',
      '>p99 0.30 ms · max 12.0 ms<',
      '>server 1,000 µs · databases 2,000 µs<',
    ]) {
      assert(page.includes(text), `${text} is on the page`);
    }
  });

  test('omits the CPU of a system that was not visible', async () => {
    assert.match(await renderReportPage(report), /<dt>Server CPU<\/dt>/u);
    assert.doesNotMatch(await renderReportPage({ ...report, system: undefined }), /<dt>Server CPU<\/dt>/u);
  });

  test('marks an interrupted run as incomplete', async () => {
    const run = { ...report.run, interrupted: true };
    assert.match(await renderReportPage({ ...report, run }), /The run was interrupted/u);
    assert.doesNotMatch(await renderReportPage(report), /The run was interrupted/u);
  });

  test('contains the report unchanged', async () => {
    const page = await renderReportPage(report);
    const embedded = /<script type="application\/json" id="report">(?<json>[^]*?)<\/script>/u.exec(page)?.groups;
    assert.deepEqual(JSON.parse(embedded?.['json'] ?? ''), report);
  });

  test('loads nothing, and forbids it by its content security policy', async () => {
    const page = await renderReportPage(report);
    assert.doesNotMatch(page, /<(?:link|img|iframe|object|embed|base|form)\b|\ssrc=|\shref=|@import|url\(/u);
    assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/u);
  });

  test('holds two scripts that parse: the chart library with its license, and ours', async () => {
    const scripts = scriptsOf(await renderReportPage(report));
    assert.equal(scripts.length, 2);
    assert.match(scripts[0] ?? '', /MIT License[^]*var uPlot=/u);
    for (const source of scripts) assert(new Script(source) instanceof Script);
  });

  test('has an element for each chart that can be focused', async () => {
    const page = await renderReportPage(report);
    const drawn = /const charts = \{(?<body>[^]*?)\n\};/u.exec(scriptsOf(page)[1] ?? '')?.groups?.['body'] ?? '';
    const known = [...drawn.matchAll(/^ {2}(?<name>\w+): \{/gmu)].map((match) => match.groups?.['name']);
    const placed = [...page.matchAll(/data-chart="(?<name>\w+)"/gu)].map((match) => match.groups?.['name']);
    assert.deepEqual(placed, known);
    assert.equal(page.match(/class="plot" tabindex="0"/gu)?.length, placed.length);
  });

  test('shows the checks of a chat, with each violation', async () => {
    const chat = { conversations: 9, messages: 1_200, violations: [], socketEnds: [{ code: 4000, count: 2 }] };
    const requests = [{ name: 'Delivery', isArrival: true, ...latencies, p95Ms: 31.4 }];
    const page = visible(await renderReportPage({ ...report, chat, requests }));
    assert.match(page, />Delivery<[^]*>1,240<[^]*>0\.80<[^]*>31\.4<[^]*>17\.6<[^]*>805</u);
    assert.match(page, /1,200 messages in 9 conversations\.\s+Sockets ended with 4000 \(2\)\./u);
    assert.match(page, /<p>No violation\.<\/p>/u);
    const violations = [{ kind: 'lost message', count: 2, sample: 'conversation 3, person 7: 12 is gone' }] as const;
    const broken = visible(await renderReportPage({ ...report, chat: { ...chat, violations } }));
    assert.match(broken, />lost message<[^]*>2<[^]*>conversation 3, person 7: 12 is gone</u);
    assert.doesNotMatch(visible(await renderReportPage(report)), /Checks of the chat/u);
  });

  test('escapes text of the run', async () => {
    const hostile = `</script></title><img src=x onerror="alert('1')">&amp;`;
    const page = await renderReportPage({
      ...report,
      run: { ...report.run, baseUrl: hostile, type: hostile, startedAt: hostile },
      machine: { ...report.machine, cpu: hostile },
      reasons: [hostile],
      requests: [{ ...latencies, name: hostile, isArrival: false }],
      errors: [{ request: hostile, kind: hostile, count: 1, example: hostile }],
    });
    assert.doesNotMatch(page, /<img/u);
    assert.equal(page.match(/<\/script>/gu)?.length, 3);
    assert.match(page, /<title>Load test: &#60;\/script&#62;/u);
    assert.match(page, /<li>&#60;\/script&#62;.*&#38;amp;<\/li>/u);
  });

  test('supports a run without answers', async () => {
    const page = visible(await renderReportPage({ ...report, timeline: [], histogram: [], errors: [], requests: [] }));
    assert.match(page, /<p>None\.<\/p>/u);
    assert.doesNotMatch(page, /NaN|Infinity|undefined/u);
  });
});

describe('figures', () => {
  test('a small share is not shown as 0 %, nor a large one as 100 %', () => {
    assert.deepEqual(
      [share(0, 9), share(1, 337_500), share(337_499, 337_500), share(9, 9), share(0, 0)],
      ['0 %', '< 0.01 %', '> 99.99 %', '100 %', '–'],
    );
  });

  test('have three significant digits when they are small', () => {
    assert.deepEqual([figure(0.4251), figure(17.62), figure(1_240.4)], ['0.43', '17.6', '1,240']);
  });
});

describe('markup', () => {
  test('refuses a script that contains its own end tag', () => {
    assert.throws(() => rawElement('script', 'x = "</SCRIPT>"'), /which would end it/u);
  });

  test('escapes end tags in data', () => {
    assert.equal(jsonElement('a', ['</script>']).source.match(/<\//gu)?.length, 1);
  });
});
