import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { recordLog } from '../../test/log-lines.ts';
import { RepeatLog, type RepeatedLine } from './repeat-log.ts';

const lost: RepeatedLine = { level: 'warn', key: 'lost', one: 'lost one', many: 'lost several' };

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

test('an outage of a minute has eight lines per key, and their counts add up', () => {
  const { log, lines } = recordLog();
  const repeats = new RepeatLog(log);
  for (let second = 0; second < 60; second += 1) {
    for (let n = 0; n < 1_000; n += 1) repeats.add(lost, () => ({ second }));
    mock.timers.tick(1_000);
  }
  repeats.close();
  assert.equal(lines().length, 8);
  const counts = lines('lost several').map(({ count }) => Number(count));
  assert.deepEqual([lines('lost one').length, counts[0]], [1, 999]);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 1),
    60_000,
  );
});

test('a line shows the first case since the previous line, and other cases are not formatted', () => {
  const { log, lines } = recordLog();
  const repeats = new RepeatLog(log);
  const described: number[] = [];
  for (const n of [1, 2, 3])
    repeats.add(lost, () => {
      described.push(n);
      return { n };
    });
  mock.timers.tick(1_000);
  assert.deepEqual(
    lines('lost several').map(({ n, count }) => [n, count]),
    [[2, 2]],
  );
  assert.deepEqual(described, [1, 2]);
  repeats.close();
});

test('keys are counted separately, and a key starts over after ten silent seconds', () => {
  const { log, lines } = recordLog();
  const repeats = new RepeatLog(log);
  repeats.add(lost, () => ({}));
  repeats.add({ ...lost, key: 'other' }, () => ({}));
  assert.equal(lines('lost one').length, 2);
  mock.timers.tick(11_000);
  repeats.add(lost, () => ({}));
  assert.equal(lines('lost one').length, 3);
  repeats.close();
});
