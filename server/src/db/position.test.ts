import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assert as property, bigInt, integer, nat, property as forAll, record, string } from 'fast-check';

import { covers, decodeToken, encodeToken, latest, onlyOnPrimary, toPosition, type Position } from './position.ts';

const positions = record(
  { timeline: nat(0xff_ff_ff_ff), lsn: bigInt({ min: 0n, max: 0xff_ff_ff_ff_ff_ff_ff_ffn }) },
  { noNullPrototype: true },
);
const somewhere: Position = { timeline: 3, lsn: 0x1_2345_6789n };

test('a token decodes to the position that it was made from', () => {
  property(
    forAll(positions, (position) => {
      const token = encodeToken(position);
      assert.match(token, /^[\w-]{20}$/u);
      assert.deepEqual(decodeToken(token), position);
      assert.equal(encodeToken(position), token);
    }),
  );
});

test('text that is not a token is refused', () => {
  property(forAll(string({ maxLength: 40 }), (garbage) => assert.equal(decodeToken(garbage), undefined)));
  const token = encodeToken(somewhere);
  for (const other of [
    '',
    token.slice(0, 19),
    `${token}A`,
    ` ${token}`,
    `${token}\n`,
    token.replace(/^./u, '+'),
    '0'.repeat(20),
  ])
    assert.equal(decodeToken(other), undefined, JSON.stringify(other));
});

test('a token with one damaged character is refused, not misread', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  property(
    forAll(positions, nat(19), integer({ min: 1, max: 63 }), (position, at, by) => {
      const token = encodeToken(position);
      const damaged = alphabet[(alphabet.indexOf(token.charAt(at)) + by) % 64];
      assert.equal(decodeToken(token.slice(0, at) + damaged + token.slice(at + 1)), undefined);
    }),
    { numRuns: 1_000 },
  );
});

test('a server has what was written before its position, only on its own timeline', () => {
  assert.equal(covers(somewhere, somewhere), true);
  assert.equal(covers(somewhere, { ...somewhere, lsn: somewhere.lsn - 1n }), true);
  assert.equal(covers(somewhere, { ...somewhere, lsn: somewhere.lsn + 1n }), false);
  assert.equal(covers(somewhere, { timeline: 2, lsn: 0n }), false);
  assert.equal(covers(somewhere, { timeline: 4, lsn: 0n }), false);
  assert.equal(covers(undefined, somewhere), false);
});

test('no standby is known to have what only the primary has', () => {
  property(forAll(integer({ min: 1 }), bigInt(), (timeline, lsn) => !covers({ timeline, lsn }, onlyOnPrimary)));
  assert.deepEqual(decodeToken(encodeToken(onlyOnPrimary)), onlyOnPrimary);
});

test("a client's position never decreases on one timeline, and follows to another", () => {
  const before = { ...somewhere, lsn: somewhere.lsn - 1n };
  const promoted = { timeline: 4, lsn: 1n };
  assert.equal(latest(somewhere, before), somewhere);
  assert.equal(latest(before, somewhere), somewhere);
  assert.equal(latest(somewhere, promoted), promoted);
  assert.equal(latest(undefined, before), before);
});

test('a server that has replayed nothing has no position', () => {
  assert.equal(toPosition({ lsn: null, timeline: 1, incarnation: 'x' }), undefined);
  assert.equal(toPosition(undefined), undefined);
  assert.deepEqual(toPosition({ lsn: '18446744073709551615', timeline: 1, incarnation: 'x' }), {
    timeline: 1,
    lsn: 0xff_ff_ff_ff_ff_ff_ff_ffn,
  });
});
