import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { AppError } from '../lib/app-error.ts';
import { isUnchanged, readTags, refuseConditions } from './preconditions.ts';

function refusedAs(code: string): (error: unknown) => boolean {
  return (error) => error instanceof AppError && error.code === code;
}

describe('entity tags of a header', () => {
  const lists: readonly (readonly [text: string, tags: ReturnType<typeof readTags>])[] = [
    ['*', '*'],
    [' * ', '*'],
    ['"a"', ['"a"']],
    ['W/"a"', ['W/"a"']],
    ['""', ['""']],
    ['"a", W/"b" ,"c,d"', ['"a"', 'W/"b"', '"c,d"']],
    [', "a",, ,"b" ,', ['"a"', '"b"']],
    ['"\u00fc!#~"', ['"\u00fc!#~"']],
  ];
  for (const [text, tags] of lists)
    test(`${text} is read`, () => assert.deepEqual(readTags({ 'if-match': text }, 'If-Match'), tags));

  for (const text of ['', 'a', '"a', '"a" "b"', '"a""b"', 'w/"a"', '*, "a"', '"a b"', "'a'", ',', '"a";q=1'])
    test(`${text || 'nothing'} is refused, and the error names the header`, () => {
      assert.throws(
        () => readTags({ 'if-none-match': text }, 'If-None-Match'),
        (error) => error instanceof AppError && error.errors?.[0]?.field === 'If-None-Match',
      );
    });

  test('a long header takes no time to refuse', () => {
    const began = performance.now();
    for (const text of [`${'"a", '.repeat(1_600)}x`, `${' ,'.repeat(4_000)}x`, ' '.repeat(8_000)])
      assert.throws(() => readTags({ 'if-match': text }, 'If-Match'), refusedAs('invalid_request'));
    assert.ok(performance.now() - began < 1_000);
  });
});

describe('a client that reads', () => {
  test('has the current version when If-None-Match names it, weak or strong', () => {
    for (const known of ['*', '"a"', 'W/"a"', '"b", "a"'])
      for (const current of ['"a"', 'W/"a"']) assert.ok(isUnchanged({ 'if-none-match': known }, current));
    assert.ok(!isUnchanged({ 'if-none-match': '"b"' }, '"a"'));
    assert.ok(!isUnchanged({}, '"a"'));
  });

  test('gets only a version that If-Match names, and a weak tag names none', () => {
    assert.ok(!isUnchanged({ 'if-match': '"b", "a"' }, '"a"'));
    assert.ok(!isUnchanged({ 'if-match': '*' }, 'W/"a"'));
    for (const [wanted, current] of [
      ['"b"', '"a"'],
      ['W/"a"', '"a"'],
      ['W/"a"', 'W/"a"'],
      ['"a"', 'W/"a"'],
    ] as const)
      assert.throws(() => isUnchanged({ 'if-match': wanted }, current), refusedAs('precondition_failed'));
  });

  test('gets the error of a malformed header before that of a failed condition', () => {
    const headers = { 'if-match': '"b"', 'if-none-match': 'no tag' };
    assert.throws(() => isUnchanged(headers, '"a"'), refusedAs('invalid_request'));
  });
});

test('a condition that a method does not support is refused, not ignored', () => {
  refuseConditions({ 'if-match': '"a"' }, 'If-None-Match');
  assert.throws(() => refuseConditions({ 'if-none-match': '*' }, 'If-None-Match'), refusedAs('invalid_request'));
});
