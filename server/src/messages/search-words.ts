/** A word of a text, folded as searches compare it, and its place in UTF-16 units. */
interface Word {
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** Of a script without spaces: two characters, or the last one. */
  readonly isPart: boolean;
}

/** A part of a text that matches a search, in UTF-16 units. */
export interface Highlight {
  readonly start: number;
  readonly end: number;
}

/** In code units after folding; the rest of a longer word is not compared. */
const longestWord = 64;

/** Of scripts that are written without spaces between words. */
const unspaced = String.raw`[[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー\uFF70\uFF9E\uFF9F]&&[\p{L}\p{N}]]`;
const words = new RegExp(String.raw`(?<run>(?:${unspaced}\p{M}*)+)|(?:[[\p{L}\p{N}]--${unspaced}]\p{M}*)+`, 'gv');
const isAscii = /^[\0-\x7f]*$/u;
const characters = /[\p{L}\p{N}]\p{M}*/gu;

/** Accents and optional vowel signs. Vowel signs of Indic and other scripts distinguish words, and so do the voiced kana. */
const accents = /[[\p{M}&&[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Arabic}]]--[\u3099\u309A]]+/gv;

/** Letters whose stroke or ligature is not a combining mark in Unicode. */
const plainLetters: Readonly<Record<string, string>> = { ø: 'o', đ: 'd', ł: 'l', ħ: 'h', æ: 'ae', œ: 'oe', ς: 'σ' };

/** Case, accents and compatibility forms fold: `ÀÉ`, `Straße`, `Ørsted` and `ﬁ` are found by `ae`, `strasse`, `orsted` and `fi`. */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(accents, '')
    .toLowerCase()
    .toUpperCase() // ß becomes SS, and ẞ would stay.
    .toLowerCase()
    .replaceAll(/[øđłħæœς]/gu, (letter) => plainLetters[letter] ?? letter)
    .normalize('NFC')
    .slice(0, longestWord);
}

/**
 * The words of a text, in order. A run of a script without spaces becomes pairs of adjacent characters: any part of it is found by the pairs
 * of that part. A dictionary would hide words that it joins to others, is slower, and differs between versions of Node.
 */
function wordsOf(text: string): Word[] {
  if (isAscii.test(text)) return asciiWordsOf(text);
  return Array.from(text.matchAll(words)).flatMap(({ 0: word, index, groups }) =>
    groups?.['run'] === undefined
      ? [{ word: fold(word), start: index, end: index + word.length, isPart: false }]
      : pairsOf(word, index),
  );
}

/** The same in a third of the time. */
function asciiWordsOf(text: string): Word[] {
  return Array.from(text.toLowerCase().matchAll(/[a-z\d]+/gu), ({ 0: word, index }) => ({
    word: word.slice(0, longestWord),
    start: index,
    end: index + word.length,
    isPart: false,
  }));
}

function pairsOf(run: string, offset: number): Word[] {
  const each = Array.from(run.matchAll(characters));
  return each.map(({ 0: character, index }, place) => {
    const pair = character + (each[place + 1]?.[0] ?? '');
    return { word: fold(pair), start: offset + index, end: offset + index + pair.length, isPart: true };
  });
}

/** Cannot be a word of a text. */
function conversationWord(conversationId: string): string {
  return `#${conversationId.replaceAll('-', '')}`;
}

/** The text form of a `tsvector` with the words of a message and the word of its conversation. Words have no quotes or backslashes. */
export function searchVectorOf(conversationId: string, body: string): string {
  const found = new Set(wordsOf(body).map(({ word }) => word));
  found.delete(''); // Of an accent alone.
  found.add(conversationWord(conversationId));
  return Array.from(found, (word) => `'${word}'`).join(' ');
}

/** The words that a message must have, or begin with; none of them is the beginning of another one. */
export function searchTermsOf(query: string): string[] {
  const found = wordsOf(query);
  const whole = found.filter(({ isPart }, place) => !isPart || !endsRun(found, place));
  const terms = [...new Set(whole.map(({ word }) => word))];
  return terms.filter((term) => term !== '' && !terms.some((other) => other !== term && other.startsWith(term)));
}

/** Whether the last character of a run is also in the pair before it. */
function endsRun(found: readonly Word[], place: number): boolean {
  const [before, word] = [found[place - 1], found[place]];
  return before?.isPart === true && word !== undefined && before.end === word.end;
}

/** The text form of a `tsquery` for words that begin with each of these terms. */
export function prefixQueryOf(terms: readonly string[]): string {
  return terms.map((term) => `'${term}':*`).join(' & ');
}

/** The matching words of a text, in order, without overlaps. */
export function highlightsOf(text: string, terms: readonly string[]): Highlight[] {
  const merged: { start: number; end: number }[] = [];
  for (const { word, start, end, isPart } of wordsOf(text)) {
    const term = terms.find((one) => word.startsWith(one));
    if (term === undefined) continue;
    const to = isPart ? Math.min(end, start + term.length) : end;
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, to);
    else merged.push({ start, end: to });
  }
  return merged;
}
