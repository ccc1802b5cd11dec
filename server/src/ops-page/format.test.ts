import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatBytes, formatCount, formatDuration, formatPercent, withoutNumbers } from './format.js';

test('numbers are rounded and have units', () => {
  assert.deepEqual([0, 0.004_2, 3.146, 42.42, 5_123, 250_000].map(formatCount), [
    '0',
    '0',
    '3.15',
    '42.4',
    '5,123',
    '250 k',
  ]);
  assert.deepEqual([0, 0.000_5, 0.012, 1.5, 119, 300, 10_000, 400_000].map(formatDuration), [
    '0 ms',
    '0.5 ms',
    '12 ms',
    '1.5 s',
    '119 s',
    '5 min',
    '2 h',
    '4 d',
  ]);
  assert.deepEqual([0, 1_023, 1_536, 2 ** 31].map(formatBytes), ['0 B', '1,023 B', '1.5 KiB', '2 GiB']);
  assert.deepEqual([0, 0.0123, 0.999_99, 1].map(formatPercent), ['0 %', '1.23 %', '> 99.9 %', '100 %']);
});

test('a changed number is not a changed problem', () => {
  const same = (one: string, other: string): boolean => withoutNumbers(one) === withoutNumbers(other);
  assert.ok(same('10 s ago: Worker 1 ended by SIGKILL', '2 min ago: Worker 2 ended by SIGKILL'));
  assert.ok(same('Standby is 950 ms (1,023 B) behind', 'Standby is 1.5 s (2 MiB) behind'));
  assert.ok(same('> 99.9 % of the requests fail', '0.1 % of the requests fail'));
  assert.ok(!same('1 worker is starting', '1 worker does not answer'));
  assert.ok(!same('5 sessions wait', '5 standbys wait'));
});
