import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isVisibleLines, isVisibleText, normaliseText } from './visible-text.ts';

const kept = {
  ASCII: "Anne-Marie O'Neill 3rd",
  accents: 'Zoë Ångström',
  Vietnamese: 'Nguyễn Thị',
  Chinese: '王小明',
  Arabic: 'محمد',
  'Persian, with a joiner between letters': 'می‌خواهم',
  'Sinhala, with a joiner after a virama': 'ශ්‍රී',
  'a family of emoji, joined': '👩‍👩‍👧',
  'a heart that ends with a selector': '❤️',
  'a flag that ends with tags': '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  'a heart on fire: a selector, then a joiner': '❤️‍🔥',
  'a skin tone': '👋🏽',
};
for (const [what, name] of Object.entries(kept))
  test(`${what} is unchanged`, () => {
    assert.equal(normaliseText(name), name.normalize('NFC'));
    assert.equal(isVisibleText(name.normalize('NFC')), true);
  });

test('invisible characters at the ends are trimmed', () => {
  for (const end of [
    ' ',
    '\t',
    '\n',
    '\u00A0',
    '\u3000',
    '\u200B',
    '\u200D',
    '\uFEFF',
    '\u202E',
    '\u3164',
    '\u2800',
    '\u0000',
    '\u00AD',
    '\u{1D173}',
  ])
    assert.equal(normaliseText(`${end}${end}Ada${end}`), 'Ada', `U+${end.codePointAt(0)?.toString(16)}`);
});

test('a name of only invisible characters is empty', () => {
  for (const name of ['\u200B', '\u200B\u200C\u2060', ' \u3164 ', '\u2800\u2800', '\u115F\u1160', '\u202E', '\u0007'])
    assert.equal(normaliseText(name), '', JSON.stringify(name));
});

test('marks and selectors without a character are refused', () => {
  for (const name of ['\uFE0F', '\u0301\u0302', '\u{E0020}'])
    assert.equal(isVisibleText(normaliseText(name)), false, JSON.stringify(name));
});

test('control characters, line breaks, bidirectional overrides and hidden characters are refused inside', () => {
  for (const inside of [
    '\u0000',
    '\u0007',
    '\n',
    '\r\n',
    '\u0085',
    '\u2028',
    '\u2029',
    '\u202A',
    '\u202E',
    '\u2066',
    '\u2069',
    '\u200B',
    '\u2060',
    '\u00AD',
    '\uFEFF',
    '\u180E',
    '\uD800',
    '\uFFF9',
  ])
    assert.equal(isVisibleText(normaliseText(`Ada${inside}Byron`)), false, JSON.stringify(inside));
});

test('joiners are refused where they are invisible', () => {
  for (const name of [
    'Ad\u200Da',
    'Ad\u200Ca',
    'А\u200Dнна',
    'Ada \u200D👩',
    '王\u200D明',
    'م\u200C\u200Cم',
    '1\u200D2',
  ])
    assert.equal(isVisibleText(normaliseText(name)), false, JSON.stringify(name));
});

test('a long text is trimmed in linear time, and left to maxLength', () => {
  const hostile = `a${'\u200B '.repeat(250_000)}b`;
  assert.equal(normaliseText(hostile), hostile);
  assert.equal(normaliseText(`${hostile}${' '.repeat(500_000)}`), hostile);
});

test('text of several lines keeps line feeds, tabs, isolates and joiners', () => {
  assert.equal(normaliseText(' one\r\n\ttwo\rthree\n'), 'one\n\ttwo\nthree');
  for (const text of [
    '',
    'one\n\n\ttwo',
    '\u2067עברית\u2069 and more',
    'soft\u00ADbreak',
    'a\u200Bb',
    '👩‍👩‍👧',
    'می\u200Cخواهم',
  ])
    assert.equal(isVisibleLines(text), true, JSON.stringify(text));
});

test('text of several lines is refused with controls, overrides, annotations, half characters, and nothing to see', () => {
  for (const inside of [
    '\u0000',
    '\u0007',
    '\u001B',
    '\u0085',
    '\u202D',
    '\u202E',
    '\u206A',
    '\uFFF9',
    '\uD800',
    '\uDC00',
  ])
    assert.equal(isVisibleLines(`a${inside}b`), false, `U+${inside.codePointAt(0)?.toString(16)}`);
  for (const text of ['\n\n', '\u2067\u2069', '\u200B', '\uFE0F'])
    assert.equal(isVisibleLines(text), false, JSON.stringify(text));
});
