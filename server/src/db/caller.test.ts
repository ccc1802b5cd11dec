import assert from 'node:assert/strict';
import { test } from 'node:test';

import { see } from './caller.ts';
import { onlyOnPrimary, type Position } from './position.ts';

test('a request with several calls gets the latest position, in whichever order they end', () => {
  const at = (timeline: number, lsn: bigint): Position => ({ timeline, lsn });
  const [older, newer, promoted] = [at(1, 5n), at(1, 9n), at(2, 7n)];
  for (const [ends, expected] of [
    [[older], older],
    [[older, newer], newer],
    [[newer, older], newer],
    [[promoted, newer], promoted],
    [[newer, promoted], promoted],
    [[onlyOnPrimary, newer], onlyOnPrimary],
    [[newer, onlyOnPrimary], onlyOnPrimary],
  ] as const) {
    const caller: { seen: Position | undefined } = { seen: undefined };
    for (const position of ends) see(caller, position);
    assert.deepEqual(caller.seen, expected);
  }
});
