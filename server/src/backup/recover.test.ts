import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseTargetTime, refuseEarlier } from './recover.ts';

test('a target time needs a zone', () => {
  for (const time of ['2026-11-27T14:30:00Z', '2026-11-27T14:30+01:00', '2026-11-27T14:30:00.123456+00:00', 'latest'])
    assert.equal(parseTargetTime(time), time);
  for (const time of ['2026-11-27T14:30:00', '2026-11-27', 'yesterday', '2026-13-27T14:30:00Z', ''])
    assert.throws(() => parseTargetTime(time), /with a zone/u, time);
});

test('a target time before the end of the backup is refused, in any zone', () => {
  const endedAt = '2026-11-27T14:30:00.500000Z';
  for (const time of ['2026-11-27T14:30:00.500Z', '2026-11-27T15:00:00+01:00'])
    assert.throws(() => refuseEarlier({ time }, endedAt), /older backup/u, time);
  for (const time of ['2026-11-27T14:30:01Z', '2026-11-27T14:00:00-01:00', 'latest']) refuseEarlier({ time }, endedAt);
  refuseEarlier(undefined, endedAt);
});
