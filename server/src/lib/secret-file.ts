import { readFileSync, statSync } from 'node:fs';

import { errorCode } from './error-code.ts';

/** Larger than any password, token or key; a wrong path often leads to a large file. */
const maxBytes = 65_536;

/**
 * The secret in a file, without one trailing newline; or why it cannot be used, naming the file but none of its
 * content. For Docker's secrets and systemd's credentials.
 */
export function readSecretFile(path: string): { readonly secret: string } | { readonly problem: string } {
  try {
    const stats = statSync(path);
    // Reading a pipe or a device could block for ever.
    if (!stats.isFile()) return { problem: `${path} is ${stats.isDirectory() ? 'a folder' : 'not a regular file'}` };
    if (stats.size > maxBytes) return { problem: `${path} has ${stats.size} bytes; a secret has at most ${maxBytes}` };
    return toSecret(path, readFileSync(path));
  } catch (error) {
    return { problem: `${path} cannot be read (${errorCode(error) ?? 'unknown error'})` };
  }
}

function toSecret(path: string, bytes: Buffer): ReturnType<typeof readSecretFile> {
  const content = bytes.toString('utf8');
  if (content.includes('\uFFFD') || content.includes('\0')) return { problem: `${path} is not text in UTF-8` };
  const secret = content.replace(/\r?\n$/u, '');
  return secret.trim() === '' ? { problem: `${path} is empty` } : { secret };
}
