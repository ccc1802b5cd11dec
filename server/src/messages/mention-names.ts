import { usernameMaxLength } from '@messenger/protocol/limits';

/** What a body mentions, before anyone looks whether these people exist. */
export interface MentionNames {
  /** Usernames, folded, each once. */
  readonly names: readonly string[];
  /** Whether `@all` is one of them. */
  readonly all: boolean;
}

/** Further ones of a body mention nobody. */
const mostNames = 50;

const mention = /(?<![\p{L}\p{N}_.@/-])@([a-z\d]+(?:[._-][a-z\d]+)*)/giu;
const none: MentionNames = { names: [], all: false };

/** Mentions are `@username`, not within a word, a path or an address. */
export function mentionNamesOf(body: string): MentionNames {
  if (!body.includes('@')) return none;
  const found = new Set<string>();
  for (const { 1: name = '' } of body.matchAll(mention))
    if (name.length <= usernameMaxLength) found.add(name.toLowerCase());
  const all = found.delete('all');
  return { names: [...found].slice(0, mostNames), all };
}
