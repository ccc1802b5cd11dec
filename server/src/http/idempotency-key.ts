import type { IncomingHttpHeaders } from 'node:http';

import { idempotencyKeyMaxLength } from '@messenger/protocol/limits';

import { invalidHeader } from '../lib/app-error.ts';

/** Marks the answer to a repeat. The draft defines no header; this one is the most common. */
export const repeatHeader = 'idempotent-replayed';

/** A string of RFC 9651, 3.3.3, as in draft-ietf-httpapi-idempotency-key-header. Most clients omit the quotes. */
const quoted = /^"((?:[ !#-[\]-~]|\\["\\])+)"$/u;
const bare = /^[\w.~:+/=-]+$/u;

/** The documented syntax. `readIdempotencyKey` also accepts quotes. */
export const keyPattern = `^[A-Za-z0-9_.~:+/=-]{1,${idempotencyKeyMaxLength}}$`;

/** Undefined without the header. Throws `invalid_request` for an invalid key. Quotes are not part of the key. */
export function readIdempotencyKey({ 'idempotency-key': header }: IncomingHttpHeaders): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header);
  const key = bare.test(text) ? text : quoted.exec(text)?.[1]?.replaceAll(/\\(["\\])/gu, '$1');
  if (key !== undefined && key.length <= idempotencyKeyMaxLength) return key;
  throw invalidHeader(
    'Idempotency-Key',
    `must be one string of 1 to ${idempotencyKeyMaxLength} characters, such as a UUID`,
  );
}
