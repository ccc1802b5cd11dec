import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import type { Latencies } from '../report.ts';
import { ablate, after, before, messenger, optimisations } from './configurations.ts';
import { replaceMarked } from './marked-section.ts';
import { renderTable } from './markdown-table.ts';
import { renderFindings, type Findings } from './tables.ts';
import type { Visit } from './visit.ts';

const page = readFileSync(new URL('../../../docs/performance.md', import.meta.url), 'utf8');

describe('the tables on the page', () => {
  test('replace only the content between the markers', () => {
    const [head, tail] = replaceMarked(page, 'CONTENT').split('CONTENT');
    assert(head !== undefined && tail !== undefined);
    assert(page.startsWith(head.trimEnd()) && page.endsWith(tail.trimStart()));
    assert(replaceMarked(`above ${page} below`, 'CONTENT').endsWith(' below'));
  });

  test('written twice appear once', () => {
    const once = replaceMarked(page, 'CONTENT');
    assert.equal(replaceMarked(once, 'CONTENT'), once);
    assert.equal(replaceMarked(replaceMarked(page, 'OTHER'), 'CONTENT'), once);
  });

  test('are refused by a page with missing, duplicate or misplaced markers', () => {
    const [begin = '', end = ''] = page.match(/<!-- bench:tuning .*-->/gu) ?? [];
    for (const broken of ['', begin, end, `${end}\n${begin}`, `${page}${page}`, page.replace(end, '')])
      assert.throws(() => replaceMarked(broken, 'CONTENT'), /must hold these two lines once, in this order:\n<!--/u);
  });

  test('align text left and numbers right', () => {
    const lines = ['| name |    n |', '| ---- | ---: |', '| a    |    1 |', '| bc   | 1000 |'];
    assert.equal(
      renderTable(
        ['name', 'n'],
        [
          ['a', '1'],
          ['bc', '1000'],
        ],
      ),
      lines.join('\n'),
    );
  });
});

const latencies: Latencies = {
  count: 100,
  ok: 100,
  failed: 0,
  minMs: 1,
  maxMs: 9,
  meanMs: 2,
  stdDevMs: 1,
  p50Ms: 2,
  p75Ms: 3,
  p95Ms: 4,
  p99Ms: 5,
  requestsPerSecond: 10,
  distribution: { under100Ms: 100, under500Ms: 0, from500Ms: 0, failed: 0 },
};

function visitOf(configuration: string, serverMicros: number, failed = 0): Visit {
  const load = { ...latencies, failed, ok: 100 - failed };
  return {
    configuration,
    load,
    cpu: { serverMicros, databasesMicros: 100 },
    capacity: 900,
    isSaturated: false,
    maxStallMs: 7,
  };
}

/** One round on a machine slower by this factor. */
function roundOf(slower: number): Visit[] {
  const ablations = optimisations.map((one, index) => visitOf(ablate(one).name, slower * (100 + 100 * index) - 100));
  return [
    visitOf(before.name, 900, 1),
    visitOf(after.name, slower * 200 - 100),
    visitOf(messenger.name, 50),
    ...ablations.map((one) => ({ ...one, capacity: undefined })),
  ];
}

const findings: Findings = {
  isQuick: true,
  effort: { usersPerSecond: 20, loadSeconds: 4, warmUpSeconds: 1, stepSeconds: 2, precision: 1.19, p99Ms: 500 },
  rounds: [roundOf(1), roundOf(3), roundOf(2)],
  pairs: [{ name: 'a pair', claim: 'much', slowMicros: 100, fastMicros: 99, ratio: 0.99 }],
  circumstances: ['2026-03-01', 'commit abc'],
};

const rowOf = (text: string, name: string): string[] =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${name} `))
    ?.split('|')
    .map((cell) => cell.trim())
    .slice(2, -1) ?? [];

describe('the findings', () => {
  test('count every failure, and round rates below 100 % down', () => {
    const cells = rowOf(renderFindings(findings), before.name);
    assert.deepEqual([cells[0], cells[6]], ['99.00%', '3']);
    const many = [{ ...visitOf(before.name, 1), load: { ...latencies, count: 1_000_000, failed: 1 } }, ...roundOf(1)];
    assert.equal(
      rowOf(renderFindings({ ...findings, rounds: [many.filter((_, at) => at !== 1)] }), before.name)[0],
      '99.99%',
    );
  });

  test('compare within a round, so that a slow round does not distort the ranking, and rank the largest loss first', () => {
    const text = renderFindings(findings);
    const ranked = optimisations.toSorted((a, b) => text.indexOf(`| ${b.name}`) - text.indexOf(`| ${a.name}`));
    assert.deepEqual(ranked, optimisations);
    assert.deepEqual(rowOf(text, 'time-outs').slice(1, 5), ['–', '1.00×', '1.00×', '3.00×']);
  });

  test('have the mode, date and commit, and report a saturated generator', () => {
    assert.match(renderFindings(findings), /^\*\*A quick run.*2026-03-01; commit abc\./u);
    assert.doesNotMatch(renderFindings({ ...findings, isQuick: false }), /quick/u);
    assert.match(renderFindings(findings), /Capacity: the highest rate/u);
    const without = roundOf(1).map((one) => ({ ...one, capacity: undefined }));
    assert.match(renderFindings({ ...findings, rounds: [without] }), /Capacity: not measured/u);
    assert.doesNotMatch(renderFindings(findings), /fell behind/u);
    const late = { ...visitOf(after.name, 1), isSaturated: true };
    assert.match(renderFindings({ ...findings, rounds: [[late, ...roundOf(1)]] }), /In 1 of 10 measurements/u);
  });
});
