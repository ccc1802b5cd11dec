import { usernameMaxLength } from '@messenger/protocol/limits';

/** More names in one message are ignored. */
const mostNames = 100;

/** The name that stands for all members. */
const everybody = 'all';

/** Code is shown as it is: fenced blocks, up to the end when the fence is not closed, and spans. */
const fenced = /^ {0,3}(`{3,}|~{3,})[^\n]*(?:\n(?! {0,3}\1)[^\n]*)*(?:\n {0,3}\1[^\n]*)?/gmu;
const span = /(?<!`)(`+)(?!`)[^]+?(?<!`)\1(?!`)/gu;

/**
 * `@` and a username, in any case. Not inside words and addresses (`a@b.com`), nor after a backslash; a name does not end inside a word.
 */
const mention = new RegExp(
  String.raw`(?<![\p{L}\p{N}@/\\.+-])@(?<name>[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)(?![\p{L}\p{N}\p{M}])`,
  'gu',
);

const none: MentionNames = { names: [], all: false };

export interface MentionNames {
  /** Usernames in their stored form, without repetition. */
  readonly names: readonly string[];
  /** Whether `@all` is one of them. */
  readonly all: boolean;
}

/** The names that a body in Markdown mentions. Whose names these are, and whether `@all` counts, is decided where the message is stored. */
export function mentionNamesOf(body: string): MentionNames {
  if (!body.includes('@')) return none;
  const found = new Set<string>();
  for (const { groups } of withoutCode(body).matchAll(mention)) {
    const name = groups?.['name']?.toLowerCase() ?? '';
    if (name.length <= usernameMaxLength) found.add(name);
    if (found.size > mostNames) break;
  }
  const all = found.delete(everybody);
  return { names: [...found].slice(0, mostNames), all };
}

/** The body with another name in place of a username, also in code. */
export function renameMentions(body: string, username: string, other: string): string {
  return body.replaceAll(mention, (all, name: string) => (name.toLowerCase() === username ? `@${other}` : all));
}

function withoutCode(body: string): string {
  return body.includes('`') || body.includes('~~~') ? body.replaceAll(fenced, '').replaceAll(span, '') : body;
}
