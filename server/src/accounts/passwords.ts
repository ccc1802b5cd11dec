import { readFileSync } from 'node:fs';

import { passwordMaxLength, passwordMinLength } from '@messenger/protocol/limits';

/** Words that an attacker of this program tries first. docs/security.md names them. */
const contextWords = ['messenger'];

/** A shorter username occurs in too many good passwords by chance. */
const usernameMinLength = 3;

/** The form that is hashed: the same characters typed on two keyboards are the same password (NIST SP 800-63B, 3.1.1.2). */
export function normalisePassword(password: string): string {
  return password.normalize('NFKC');
}

/** For comparison with words and lists. */
export function foldPassword(password: string): string {
  return normalisePassword(password).toLowerCase();
}

/**
 * Why a new password is refused, as the message of an invalid field; undefined for one that is accepted. No rules about kinds of
 * characters: they make passwords worse.
 */
export function checkPassword(password: string, username: string): string | undefined {
  const { length } = Array.from(normalisePassword(password));
  if (length < passwordMinLength || length > passwordMaxLength)
    return `must have ${passwordMinLength} to ${passwordMaxLength} characters`;
  const folded = foldPassword(password);
  const name = foldPassword(username);
  if (name.length >= usernameMinLength && folded.includes(name)) return 'must not contain the username';
  const word = contextWords.find((one) => folded.includes(one));
  if (word !== undefined) return `must not contain "${word}"`;
  return listCommon().has(folded) ? 'is one of the most common passwords' : undefined;
}

let common: ReadonlySet<string> | undefined;

/** Read once per process: 70 KB, 2 ms, 0.5 MB of memory. */
function listCommon(): ReadonlySet<string> {
  common ??= new Set(readFileSync(new URL('common-passwords.txt', import.meta.url), 'utf8').split('\n'));
  return common;
}
