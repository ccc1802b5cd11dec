import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fail, ok, warn } from './finding.ts';
import { makeReport, renderReport } from './report.ts';

const plain = (text: string): string => text;
const long = 'words that go on and on and on '.repeat(8).trim();
const findings = [
  ok({ check: 'reachable', where: 'primary' }, 'db:5432'),
  warn({ check: 'sequential scans', where: 'primary' }, long, long),
  fail({ check: 'lag', where: 'standby 2' }, 'much', 'select 1'),
];

test('the status of the report is its most severe finding', () => {
  const [good, bad, worst] = findings;
  assert(good && bad && worst);
  assert.equal(makeReport([]).status, 'ok');
  assert.equal(makeReport([good]).status, 'ok');
  assert.equal(makeReport([bad, good]).status, 'warn');
  assert.equal(makeReport([worst, bad, good]).status, 'fail');
});

test('the table fits into 80 columns, is complete, and ends with the count', () => {
  const out = renderReport(makeReport(findings), plain);
  for (const line of out.split('\n')) assert.ok(line.length <= 80, line);
  assert.equal(out.match(/words/gu)?.length, 16);
  assert.match(out, /^primary\n {2}ok {4}reachable +db:5432\n {2}warn {2}sequential scans/mu);
  assert.match(out, /\n\nstandby 2\n {2}fail {2}lag +much\n {8}→ select 1\n\n1 ok, 1 warn, 1 fail\n$/u);
});

test('only the words ok, warn and fail are coloured', () => {
  const out = renderReport(makeReport(findings), (text, status) => `<${status}>${text}</>`);
  assert.deepEqual(out.match(/<[^/>]+>[^<]*<\/>/gu), ['<ok>ok  </>', '<warn>warn</>', '<fail>fail</>']);
});
