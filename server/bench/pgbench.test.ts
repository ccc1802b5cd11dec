import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findPgbench, readTps } from './pgbench.ts';

const said =
  'number of transactions actually processed: 7\nnumber of failed transactions: 0 (0.000%)\ntps = 34366.50 (x)\n';

test('the rate of pgbench is parsed, unless transactions failed', () => {
  assert.equal(readTps(said), 34366.5);
  assert.throws(() => readTps(said.replace('0 (0.000%)', '3 (1.000%)')), /pgbench said/u);
  assert.throws(() => readTps('connection refused'), /connection refused/u);
});

test('a machine without pgbench has none', () => {
  assert.equal(findPgbench('/nowhere:/proc'), undefined);
});
