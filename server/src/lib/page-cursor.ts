import { existsInCalendar } from './calendar.ts';

/** A place in a list: right after the row with this creation time and id. */
export interface PageCursor {
  readonly createdAt: string;
  readonly id: string;
}

const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z,[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/u;

/** Opaque to clients, safe in a URL. */
export function encodeCursor({ createdAt, id }: PageCursor): string {
  return Buffer.from(`${createdAt},${id}`).toString('base64url');
}

/** Undefined for text that `encodeCursor` cannot produce. */
export function decodeCursor(cursor: string): PageCursor | undefined {
  if (!/^[\w-]{1,128}$/u.test(cursor)) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const seconds = form.exec(text)?.[1];
  if (seconds === undefined || !existsInCalendar(seconds)) return undefined;
  const comma = text.indexOf(',');
  return { createdAt: text.slice(0, comma), id: text.slice(comma + 1) };
}
