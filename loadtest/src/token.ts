import { readFileSync } from 'node:fs';

import { UsageError } from './usage-error.ts';

/** Of RFC 6750, section 2.1. */
const form = /^[\w.~+/-]+=*$/u;

/** The token of a session, from the file, else from `LOADTEST_TOKEN`; undefined without both. Throws `UsageError`, which contains nothing of it. */
export function readToken(
  file: string | undefined,
  { LOADTEST_TOKEN: fromEnv = '' }: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (file === undefined || file === '') return fromEnv === '' ? undefined : checked(fromEnv, 'LOADTEST_TOKEN');
  try {
    return checked(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`The token file ${file} cannot be read.`, { cause });
  }
}

function checked(text: string, source: string): string {
  const token = text.trim();
  if (!form.test(token)) throw new UsageError(`${source} does not contain the token of a session alone.`);
  return token;
}
