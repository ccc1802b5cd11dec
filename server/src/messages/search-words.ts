/** A word of a text, folded as searches compare it, and its place in UTF-16 units. */
interface Word {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** In code units after folding; the rest of a longer word is not compared. */
const longestWord = 64;

/** Scripts that are written without spaces between words. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const spacedWord = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu;
const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/** Case, accents and compatibility forms fold: `Ærø`, `ÀÉ` and `ﬁ` are found by `ærø`, `ae` and `fi`. */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase()
    .slice(0, longestWord);
}

/** The words of a text, in order. Segmentation by dictionary takes ten times longer, so only texts that need it get it. */
function wordsOf(text: string): Word[] {
  return (unspaced.test(text) ? segments(text) : matches(text)).filter(({ word }) => word !== '');
}

function matches(text: string): Word[] {
  return Array.from(text.matchAll(spacedWord), ({ 0: word, index }) => ({
    word: fold(word),
    start: index,
    end: index + word.length,
  }));
}

function segments(text: string): Word[] {
  return Array.from(segmenter.segment(text))
    .filter(({ isWordLike }) => isWordLike === true)
    .map(({ segment, index }) => ({ word: fold(segment), start: index, end: index + segment.length }));
}

/** Cannot be a word of a text. */
function conversationWord(conversationId: string): string {
  return `#${conversationId.replaceAll('-', '')}`;
}

/** The text form of a `tsvector` with the words of a message and the word of its conversation. Words have no quotes or backslashes. */
export function searchVectorOf(conversationId: string, body: string): string {
  const words = new Set(wordsOf(body).map(({ word }) => word));
  words.add(conversationWord(conversationId));
  return Array.from(words, (word) => `'${word}'`).join(' ');
}
