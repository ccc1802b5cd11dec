import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chooseCoding } from './content-coding.ts';

const cases: readonly (readonly [header: string | undefined, coding: string | undefined])[] = [
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['gzip, deflate, br, zstd', 'br'],
  ['br;q=0.5, gzip', 'gzip'],
  ['BR ; Q=1.0 , gzip;q=0.9', 'br'],
  ['*', 'br'],
  ['br;q=0, *', 'gzip'],
  ['gzip;q=0, br;q=0', undefined],
  ['*;q=0', undefined],
  ['gzip, *;q=0', 'gzip'],
  ['identity', undefined],
  ['identity, gzip;q=0.5', undefined],
  ['identity;q=0.5, gzip', 'gzip'],
  ['identity;q=0, gzip;q=0.1', 'gzip'],
  ['deflate, zstd', undefined],
  ['gzip;q=2, br;x=1, ;;,', undefined],
];
for (const [header, coding] of cases)
  test(`Accept-Encoding: ${header ?? 'absent'} gets ${coding ?? 'no coding'}`, () =>
    assert.equal(chooseCoding(header), coding));
