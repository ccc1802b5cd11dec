import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { highlightsOf, searchTermsOf, searchVectorOf } from './search-words.ts';

/** Whether a text is found, as PostgreSQL compares its words with the terms of a query. */
function finds(query: string, text: string): boolean {
  const words = searchVectorOf('', text).slice(1, -1).split("' '");
  const terms = searchTermsOf(query);
  return terms.length > 0 && terms.every((term) => words.some((word) => word.startsWith(term)));
}

/** The highlighted parts of a text. */
function marked(query: string, text: string): string[] {
  return highlightsOf(text, searchTermsOf(query)).map(({ start, end }) => text.slice(start, end));
}

describe('a search', () => {
  test('finds words and their beginnings, all of them, in any order', () => {
    assert(finds('hel', 'Say hello'));
    assert(finds('world he', 'hello, world!'));
    assert(!finds('ello', 'hello'));
    assert(!finds('hello moon', 'hello world'));
  });

  test('ignores case, accents, ligatures and width, in any script', () => {
    const alike = [
      ['AE', 'àé'],
      ['Orsted', 'ørsted'],
      ['strasse', 'STRAẞE'],
      ['straße', 'strasse'],
      ['fi', 'ﬁnd'],
      ['istanbul', 'İstanbul'],
      ['ΟΔΟΣ', 'οδός'],
      ['ёлка', 'елка'],
      ['محمد', 'مُحَمَّد'],
      ['שלום', 'שָׁלוֹם'],
      ['ガ', 'ｶﾞ'],
      ['12', '１２'],
    ] as const;
    for (const [query, text] of alike) assert(finds(query, text), `${query} in ${text}`);
  });

  test('keeps apart what other signs distinguish', () => {
    const different = [
      ['दाल', 'दिल'],
      ['か', 'が'],
      ['ปา', 'ปี'],
    ] as const;
    for (const [query, text] of different) assert(!finds(query, text), `${query} in ${text}`);
  });

  test('finds any part of a text without spaces', () => {
    const text = '我在北京大学学习iPhone编程。';
    for (const query of ['北京大学', '京大', '大学', '学习', '习', '编程', 'iphone', '大学 编程', '我'])
      assert(finds(query, text), query);
    for (const query of ['北大', '学北', '程序', 'phone']) assert(!finds(query, text), query);
    assert(finds('ภาษา', 'ทดสอบภาษาไทย'));
    assert(finds('ユー', 'インターネットユーザー'));
    assert(finds('𠮷野', '東京𠮷野家'));
  });

  test('has no terms without a word, and no term that is the beginning of another', () => {
    for (const query of ['', '!?', '👍', '\u0301', ` \n'"\\`]) assert.deepEqual(searchTermsOf(query), [], query);
    assert.deepEqual(searchTermsOf('a ab abc AB b'), ['abc', 'b']);
    assert.deepEqual(searchTermsOf(`'o':* & !"x" | \\y <-> z`), ['o', 'x', 'y', 'z']);
  });
});

test('no character becomes a quote or a backslash within a word', () => {
  for (let point = 0; point <= 0x10_ff_ff; point += 1) {
    const character = String.fromCodePoint(point);
    if (character.normalize('NFKD') === character) continue;
    assert.match(searchVectorOf('', character), /^(?:'[^'\\\0]*' )?'#'$/su);
  }
});

test('highlights are whole words, and the part that is searched of a text without spaces', () => {
  assert.deepEqual(marked('hel wor', 'Hello, other world: helpful'), ['Hello', 'world', 'helpful']);
  assert.deepEqual(marked('京大学', '北京大学学习，京大'), ['京大学', '京大']);
  assert.deepEqual(marked('学', '北京大学学习'), ['学学']);
  assert.deepEqual(marked('a', '👍 á b'), ['á']);
  assert.deepEqual(highlightsOf('👍 á', ['a']), [{ start: 3, end: 4 }]);
  assert.deepEqual(marked('x', 'nothing'), []);
});

test('text of ASCII alone has the same words as text with further characters', () => {
  const text = `It's 2 o'clock: C3PO_x, e-mail a.b@c.d! ${'Long'.repeat(20)} \0\x7f'"\\`;
  assert.equal(searchVectorOf('', text), searchVectorOf('', `${text} …`));
});
