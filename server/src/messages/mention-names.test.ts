import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mentionNamesOf } from './mention-names.ts';

const namesIn = (body: string): string => {
  const { names, all } = mentionNamesOf(body);
  return [...names, ...(all ? ['(all)'] : [])].join(' ');
};

test('a name after @ is mentioned, in any case, once', () => {
  const bodies: readonly (readonly [body: string, names: string])[] = [
    ['@ada', 'ada'],
    ['hello @Ada, and @GRACE.hopper!', 'ada grace.hopper'],
    ['@ada @ADA', 'ada'],
    ["@ada's, (@bob), *@eve*, _@kim_, «@joe»", 'ada bob eve kim joe'],
    ['@ada.', 'ada'],
    ['日本@ada', ''],
    ['日本 @ada', 'ada'],
    ['@ada\n@bob', 'ada bob'],
    ['@a_b-c.d', 'a_b-c.d'],
  ];
  for (const [body, names] of bodies) assert.equal(namesIn(body), names, body);
});

test('@all stands for all members', () => {
  assert.equal(namesIn('@all @ada'), 'ada (all)');
  assert.equal(namesIn('@All'), '(all)');
  assert.equal(namesIn('@allison'), 'allison');
});

test('addresses, paths, escapes, code and parts of words mention nobody', () => {
  const bodies = [
    'ada@example.com',
    'https://example.com/@ada',
    String.raw`\@ada`,
    '@@ada',
    '@adaé',
    '@',
    '@ ada',
    '`@ada`',
    '``a ` @ada``',
    '```\n@ada\n```',
    '```\n@ada',
    '~~~js\n@ada\n~~~',
    '\u017Fada',
  ];
  for (const body of bodies) assert.equal(namesIn(body), '', body);
  assert.equal(namesIn('`a` @ada `b`'), 'ada');
  assert.equal(namesIn('```\ncode\n```\n@ada'), 'ada');
  assert.equal(namesIn('a ` b @ada'), 'ada');
});

test('names longer than a username, and more than 100, are ignored', () => {
  assert.equal(namesIn(`@${'a'.repeat(33)} @ok`), 'ok');
  const many = Array.from({ length: 1_000 }, (_, n) => `@u${n}`).join(' ');
  assert.equal(mentionNamesOf(many).names.length, 100);
});

test('the longest bodies take milliseconds', () => {
  const bodies = [
    '@'.repeat(8_000),
    '@a'.repeat(4_000),
    `@${'a'.repeat(7_998)}é`,
    `@${'a.'.repeat(3_999)}é`,
    '`'.repeat(8_000),
    `@a ${'`'.repeat(3_999)} ${'`'.repeat(3_998)}`,
    `@a ${'`a'.repeat(3_998)}`,
    `@a ${'`a``b'.repeat(1_600)}`,
    Array.from({ length: 120 }, (_, n) => '`'.repeat(n + 1)).join('@a'),
    `@a\n${'```\n'.repeat(1_999)}`,
    `@a\n${'~~~~a\n'.repeat(1_333)}`,
    `@a ${'~'.repeat(7_997)}`,
  ];
  for (const body of bodies) {
    const since = performance.now();
    mentionNamesOf(body);
    const ms = performance.now() - since;
    assert.ok(ms < 200, `${body.slice(0, 20)}: ${ms} ms`);
  }
});
