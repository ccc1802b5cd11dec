import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DueQueue } from './due-queue.ts';

test('due items are removed in order, and others stay', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), fc.nat(1000), (moments, nowMs) => {
      const queue = new DueQueue();
      for (const dueMs of moments) queue.push({ dueMs });
      const taken: number[] = [];
      for (let item = queue.takeDue(nowMs); item !== undefined; item = queue.takeDue(nowMs)) taken.push(item.dueMs);
      assert.deepEqual(
        taken,
        moments.filter((dueMs) => dueMs <= nowMs).toSorted((a, b) => a - b),
      );
    }),
  );
});
