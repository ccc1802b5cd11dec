import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readTraceparent } from './trace-context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test('a traceparent has the trace of a request, and whether it is recorded', () => {
  assert.deepEqual(readTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true });
  assert.deepEqual(readTraceparent(`00-${traceId}-${spanId}-02`), { traceId, spanId, isSampled: false });
});

test('later versions are parsed as far as they are known', () => {
  assert.equal(readTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)?.traceId, traceId);
  assert.equal(readTraceparent(`cc-${traceId}-${spanId}-01.what-comes`), undefined);
});

test('an invalid header is ignored', () => {
  const garbage = [
    '',
    'hunter2',
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-0x`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    ` 00-${traceId}-${spanId}-01\n`,
  ];
  for (const header of garbage) assert.equal(readTraceparent(header), undefined, header);
  assert.equal(readTraceparent(undefined), undefined);
  assert.equal(readTraceparent([`00-${traceId}-${spanId}-01`]), undefined);
});
