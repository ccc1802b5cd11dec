import assert from 'node:assert/strict';
import { test } from 'node:test';

import { misses, parseAssertions } from './assertions.ts';
import { latenciesOf } from './build-report.ts';
import { RequestOutcome } from './outcome.ts';
import { UsageError } from './usage-error.ts';

const outcome = new RequestOutcome('any');
for (let ms = 1; ms <= 99; ms++) outcome.ok.add(ms);
outcome.failed.add(100);
const latencies = latenciesOf(outcome, 10);

test('a run that meets its assertions misses none', () => {
  assert.deepEqual(misses(latencies, parseAssertions('failed<=1, failed%<=1, max=100, min<2, rps>=10, mean>50')), []);
});

test('each missed assertion is reported with the measured value', () => {
  assert.deepEqual(misses(latencies, parseAssertions('failed=0,p50<=50,max<100')), [
    'failed=0 is missed: failed is 1',
    'p50<=50 is missed: p50 is 50.18',
    'max<100 is missed: max is 100',
  ]);
});

test('an assertion can be about one kind of request', () => {
  const requests = [{ ...latencies, name: 'List Update', isArrival: true }];
  assert.deepEqual(misses(latencies, parseAssertions('list-update.p50<=50,list-update.max=100'), requests), [
    'list-update.p50<=50 is missed: p50 is 50.18',
  ]);
  assert.deepEqual(misses(latencies, parseAssertions('delivery.p99<=100'), requests), [
    'delivery.p99<=100 is missed: there was no such request',
  ]);
});

test('a run without requests misses all', () => {
  assert.deepEqual(misses(latenciesOf(new RequestOutcome('any'), 1), parseAssertions('failed=0')), [
    'no request was made',
  ]);
});

for (const text of ['', 'p98<=1', 'p99', 'p99<=', 'p99<=x', 'p99=<1', 'failed=0,', 'toString=1'])
  test(`"${text}" is refused with the valid form`, () => {
    assert.throws(() => parseAssertions(text), UsageError);
    assert.throws(() => parseAssertions(text), /--assert does not understand ".*p99/su);
  });
