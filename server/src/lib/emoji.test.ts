import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isEmoji, qualifyEmoji } from './emoji.ts';

const accepts = (text: string): boolean => isEmoji(qualifyEmoji(text));

test('every emoji of one character is accepted, and is its own stored form', () => {
  let count = 0;
  for (let code = 0; code < 0x11_00_00; code += 1)
    for (const text of [String.fromCodePoint(code), `${String.fromCodePoint(code)}\uFE0F`])
      if (isEmoji(text)) {
        count += 1;
        assert.equal(qualifyEmoji(text), text);
      }
  assert.ok(count > 1_300, String(count));
});

test('sequences are one emoji: skin tones, families, flags, keycaps', () => {
  for (const text of ['👍🏽', '👩🏽‍❤️‍💋‍👨🏽', '👨‍👩‍👧‍👦', '🇩🇪', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '1️⃣', '🏳️‍🌈', '👁️‍🗨️', '🕵🏽‍♂️', '☝🏽']) {
    assert.ok(isEmoji(text), text);
    assert.equal(qualifyEmoji(text), text);
  }
});

test('forms that look alike are stored as one', () => {
  const forms = [
    ['❤️', '❤', '❤\uFE0E'],
    ['🏳️‍🌈', '🏳‍🌈'],
    ['👩🏽‍❤️‍💋‍👨🏽', '👩🏽‍❤‍💋‍👨🏽'],
    ['☝🏽', '☝\uFE0F🏽'],
    ['1️⃣', '1⃣'],
    ['©️', '©'],
  ];
  for (const [stored, ...others] of forms) for (const other of others) assert.equal(qualifyEmoji(other), stored);
});

test('what is not exactly one emoji is refused', () => {
  const texts = [
    '',
    'a',
    '1',
    '#',
    '👍👍',
    '👍 ',
    ' 👍',
    '🇩',
    '👍\u200D',
    '\u200D',
    '\uFE0F',
    'é',
    '\u0000',
    '\uD83D',
    '👍a',
  ];
  for (const text of [...texts, '👍'.repeat(8_000), '👩‍'.repeat(4_000)]) assert.ok(!accepts(text), text.slice(0, 20));
});
