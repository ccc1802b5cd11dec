import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { shareCheck, type ReadinessCheck, type UnreadyReason } from './readiness.ts';

let now = 0;
let checks = 0;
let reason: UnreadyReason | undefined;
let shared: ReadinessCheck;

beforeEach(() => {
  checks = 0;
  reason = undefined;
  const check: ReadinessCheck = async () => {
    checks += 1;
    return reason;
  };
  shared = shareCheck(check, { now: () => now });
});

test('calls within a second share one check', async () => {
  await Promise.all(Array.from({ length: 200 }, shared));
  now += 999;
  await shared();
  assert.equal(checks, 1);
});

test('after a second the check runs again', async () => {
  assert.equal(await shared(), undefined);
  reason = 'primary_unavailable';
  now += 1_000;
  assert.equal(await shared(), 'primary_unavailable');
  assert.equal(checks, 2);
});

test('a check that takes longer than a second does not run twice at the same time', async () => {
  const held = Promise.withResolvers<UnreadyReason | undefined>();
  const slow = shareCheck(
    async () => {
      checks += 1;
      return await held.promise;
    },
    { now: () => now },
  );
  const first = slow();
  now += 5_000;
  const second = slow();
  held.resolve('primary_unavailable');
  assert.deepEqual(await Promise.all([first, second]), ['primary_unavailable', 'primary_unavailable']);
  assert.equal(checks, 1);
});
