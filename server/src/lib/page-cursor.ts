import { invalidQuery } from './app-error.ts';
import { existsInCalendar } from './calendar.ts';

/** A place in a list: right after the row with this creation time and id. */
export interface PageCursor {
  readonly createdAt: string;
  readonly id: string;
}

/** Opaque to clients, safe in a URL. */
export function encodeCursor({ createdAt, id }: PageCursor): string {
  return encodeParts([createdAt, id]);
}

/** Undefined for text that `encodeCursor` cannot produce. */
export function decodeCursor(cursor: string): PageCursor | undefined {
  const [createdAt, id] = decodeParts(cursor, [isTimestamp, isUuid]) ?? [];
  return createdAt === undefined || id === undefined ? undefined : { createdAt, id };
}

/** A cursor of several columns, whose values have no commas. */
export function encodeParts(parts: readonly string[]): string {
  return Buffer.from(parts.join(',')).toString('base64url');
}

/** One part for each form. Throws `invalid_request` for a parameter that is not a cursor of this list. */
export function readParts(after: string, forms: readonly ((part: string) => boolean)[]): string[] {
  const parts = decodeParts(after, forms);
  if (parts === undefined) throw invalidQuery('after', 'is not a cursor of this list');
  return parts;
}

function decodeParts(cursor: string, forms: readonly ((part: string) => boolean)[]): string[] | undefined {
  if (!/^[\w-]{1,128}$/u.test(cursor)) return undefined;
  const parts = Buffer.from(cursor, 'base64url').toString().split(',');
  return parts.length === forms.length && forms.every((isOf, index) => isOf(parts[index] ?? '')) ? parts : undefined;
}

const timestamp = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z$/u;

export function isTimestamp(part: string): boolean {
  const seconds = timestamp.exec(part)?.[1];
  return seconds !== undefined && existsInCalendar(seconds);
}

export function isUuid(part: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/u.test(part);
}

/** A number that JavaScript and PostgreSQL hold exactly. */
export function isCount(part: string): boolean {
  return /^\d{1,15}$/u.test(part);
}
