import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Sample } from './measure.ts';
import type { Measured } from './run.ts';
import type { SideKind } from './sides.ts';
import { alignColumns, renderCost } from './table.ts';
import { ratioOf, verdictsOf } from './verdicts.ts';

const sample: Sample = {
  perSecond: 100,
  p50Ms: 1,
  p99Ms: 2,
  serverUs: 30,
  databaseUs: 10,
  bytes: 300,
  failures: 0,
  clientUse: 0.1,
  othersUse: 0.05,
  latestMs: 0,
};

function measured(kind: SideKind, cell: string, samples: readonly Partial<Sample>[]): Measured {
  return { kind, cell, processes: 1, samples: samples.map((one) => ({ ...sample, ...one })), census: undefined };
}

test('CPU is the sum of server and databases, compared by round', () => {
  const left = measured('messenger', 'get 1', [{ serverUs: 50 }, { serverUs: 590 }, { serverUs: 70 }]);
  const right = measured('floor', 'get 1', [{ serverUs: 30 }, { serverUs: 290 }, { serverUs: 70 }]);
  assert.equal(ratioOf({ left, right }, 'cpuUs'), 1.5);
});

test('a target is met when each of its cells meets it, and names the worst one', () => {
  const all = [
    measured('floor', 'get 1', [{}]),
    measured('messenger', 'get 1', [{ perSecond: 90 }]),
    measured('floor', 'get 64', [{ perSecond: 1_000 }]),
    measured('messenger', 'get 64', [{ perSecond: 700, serverUs: 20 }]),
  ];
  const [rate, cpu, p50, ...others] = verdictsOf(all);
  assert.partialDeepStrictEqual(rate, { ratio: 0.7, reached: 1, of: 2, worst: 'get 64 (1)' });
  assert.partialDeepStrictEqual(cpu, { ratio: 1, reached: 2, of: 2 });
  assert.partialDeepStrictEqual(p50, { title: 'p50 at one connection ÷ floor', reached: 1, of: 1, worst: 'get 1 (1)' });
  assert.deepEqual(others, [], 'nothing is said of what was not measured');
});

test('loads are compared with loads of the same server', () => {
  const verdicts = verdictsOf([
    measured('messenger', 'put 64', [{ perSecond: 1_000 }]),
    measured('messenger', 'put 64, one row', [{ perSecond: 80 }]),
    measured('messenger', 'get 8', [{}]),
    measured('messenger', 'get 8, each on a new connection', [{ serverUs: 110 }]),
    measured('beside', 'put 64', [{ perSecond: 500 }]),
  ]);
  assert.deepEqual(
    verdicts.map(({ title, ratio }) => [title, ratio]),
    [
      ['new connection ÷ open one, CPU', 3],
      ['post, put at 64 ÷ beside', 2],
      ['one row ÷ spread', 0.08],
    ],
  );
});

test('the table has a line per side, with its ratios to the floor', () => {
  const lines = renderCost([
    measured('floor', 'get 1', [{ clientUse: 0.95 }]),
    measured('messenger', 'get 1', [{ perSecond: 50, failures: 7 }]),
  ]).split('\n');
  assert.match(lines[1] ?? '', /^get 1 +1 +floor +100 .* 95%! +5%$/u);
  assert.match(lines.at(-1) ?? '', /at most 95% of a core/u);
  assert.match(lines[2] ?? '', /^get 1 +1 +messenger +50 \(7 failed\) .* 10% +5% +0\.50 +1\.00 +1\.00$/u);
});

test('text is left-aligned, numbers are right-aligned', () => {
  const rows = [
    ['a', '1'],
    ['bc', '22'],
  ];
  assert.equal(alignColumns(rows, [0]), 'a    1\nbc  22');
});
