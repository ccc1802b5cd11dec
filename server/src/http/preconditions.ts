import type { IncomingHttpHeaders } from 'node:http';

import { AppError, invalidHeader } from '../lib/app-error.ts';

/** Entity tags as sent, `"x"` or `W/"x"`; `*` matches any current representation. RFC 9110, 8.8.3 and 13.1. */
export type EntityTags = '*' | readonly string[];

const tag = String.raw`(?:W\/)?"[!#-~\u0080-\u00ff]*"`;
const eachTag = new RegExp(tag, 'gu');
const listOfTags = new RegExp(`^[ \\t,]*${tag}(?:[ \\t]*,[ \\t,]*${tag})*[ \\t,]*$`, 'u');

/** The documented syntax. `readTags` also accepts empty elements and more spaces, as RFC 9110 requires. */
export const tagsPattern = '^([*]|(W/)?"[!#-~]*"(, (W/)?"[!#-~]*")*)$';

/** Undefined without the header. Throws `invalid_request` unless it is `*` or a list of entity tags. */
export function readTags(headers: IncomingHttpHeaders, field: 'If-Match' | 'If-None-Match'): EntityTags | undefined {
  const text = field === 'If-Match' ? headers['if-match'] : headers['if-none-match'];
  if (text === undefined) return undefined;
  if (text.trim() === '*') return '*';
  if (listOfTags.test(text)) return text.match(eachTag) ?? [];
  throw invalidHeader(field, 'must be * or a list of entity tags, such as "x", "y"');
}

/**
 * Whether the client already has the representation with this tag: then the answer is 304. Throws `precondition_failed` when
 * `If-Match` does not name it.
 */
export function isUnchanged(headers: IncomingHttpHeaders, current: string): boolean {
  const wanted = readTags(headers, 'If-Match');
  const known = readTags(headers, 'If-None-Match');
  const isWeak = current.startsWith('W/');
  if (wanted !== undefined && wanted !== '*' && (isWeak || !wanted.includes(current)))
    throw new AppError('precondition_failed');
  return known === '*' || (known?.some((one) => opaque(one) === opaque(current)) ?? false);
}

/** Without `W/`, which weak comparison ignores. */
function opaque(one: string): string {
  return one.startsWith('W/') ? one.slice(2) : one;
}

/**
 * Throws `invalid_request` for conditions that the method does not support. Ignoring them would perform the write that the client excluded.
 */
export function refuseConditions(headers: IncomingHttpHeaders, ...fields: ('If-Match' | 'If-None-Match')[]): void {
  for (const field of fields)
    if (readTags(headers, field) !== undefined) throw invalidHeader(field, 'is not supported by this method');
}
