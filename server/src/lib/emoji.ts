const emoji = /^\p{RGI_Emoji}$/v;
const selectors = /[\uFE0E\uFE0F]/gu;

/** Characters that are text by default, before anything but a skin tone. */
const textual = /(?!\p{Emoji_Presentation})\p{Emoji}(?!\p{Emoji_Modifier})/gu;

/** Longer than every emoji, in UTF-16 units. */
const longest = 64;

/**
 * The stored form of an emoji: in NFC, with a selector (U+FE0F) behind each character that would otherwise be shown as text. So `❤`, `❤︎`
 * and `❤️` are one. Technique: "fully-qualified" emoji of UTS 51.
 */
export function qualifyEmoji(text: string): string {
  if (text.length > longest) return text;
  const bare = text.normalize('NFC').replaceAll(selectors, '');
  return emoji.test(bare) ? bare : bare.replaceAll(textual, '$&\uFE0F');
}

/** Whether a text is exactly one emoji in its stored form. */
export function isEmoji(text: string): boolean {
  return emoji.test(text);
}
