/** Rules for short text that users show to each other, such as names: no invisible, deceptive or unstorable characters. */

/** Text that needs no trimming, normalisation or check, like most names. */
const plain = /^[!-~](?:[ -~]*[!-~])?$/u;

/**
 * Invisible characters: fillers and joiners, but not the selectors and tags that end an emoji. U+2800 is a Braille pattern without dots.
 */
const invisible = String.raw`[\s\p{Cc}\u2800[\p{Default_Ignorable_Code_Point}--[\p{Variation_Selector}\u{E0020}-\u{E007F}]]]`;
const invisibleStart = new RegExp(`^${invisible}+`, 'v');
const invisibleCharacter = new RegExp(invisible, 'v');

/** A visible character. Combining marks and selectors only modify one. */
const visible = /[^\s\p{Z}\p{M}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * Control characters, line breaks, embeddings, overrides and isolates of the direction (UAX 9), and hidden characters that make two
 * names look alike. PostgreSQL stores neither NUL nor half of a surrogate pair.
 */
const refused =
  /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069\u00AD\u180E\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF9-\uFFFB]/u;

/** Joiners (U+200C, U+200D) shape emoji and some scripts; beside these characters they are invisible. */
const withoutJoiners = String.raw`[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Nd}\p{P}\p{Z}]`;
const strayJoiner = new RegExp(
  String.raw`${withoutJoiners}[\u200C\u200D]|[\u200C\u200D](?:${withoutJoiners}|[\u200C\u200D])`,
  'u',
);

/**
 * In UTF-16 units. NFC takes quadratic time for badly ordered marks (1 MiB: minutes). Longer text exceeds our limits in any form;
 * `maxLength` refuses it.
 */
const longestNormalised = 1_000;

/** The stored form of a text: without invisible characters at its ends, with line feeds between lines, in NFC. */
export function normaliseText(text: string): string {
  if (plain.test(text)) return text;
  const trimmed = trimEnd(text.replace(invisibleStart, '')).replaceAll(/\r\n?/gu, '\n');
  return trimmed.length <= longestNormalised ? trimmed.normalize('NFC') : trimmed;
}

/** A loop, because a regular expression for the end of a text takes quadratic time. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0) {
    const start = end > 1 && isLowSurrogate(text.charCodeAt(end - 1)) ? end - 2 : end - 1;
    if (!invisibleCharacter.test(text.slice(start, end))) break;
    end = start;
  }
  return text.slice(0, end);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc_00 && unit <= 0xdf_ff;
}

/** Whether a normalised text may be stored and shown. `minLength` refuses an empty one. */
export function isVisibleText(text: string): boolean {
  return text === '' || plain.test(text) || (visible.test(text) && !refused.test(text) && !strayJoiner.test(text));
}

/**
 * As `refused`, for text of several lines: with tabs, line breaks, and what shapes scripts and emoji. Embeddings and overrides of the
 * direction reach beyond their text; isolates that are left open end with their paragraph.
 */
const refusedInLines = /[[\p{Cc}\p{Cs}]--[\t\n\r]]|[\u202A-\u202E\u2060-\u2064\u206A-\u206F\uFFF9-\uFFFB]/v;

/** Whether a text of several lines may be stored and shown. */
export function isVisibleLines(text: string): boolean {
  return text === '' || (visible.test(text) && !refusedInLines.test(text));
}
