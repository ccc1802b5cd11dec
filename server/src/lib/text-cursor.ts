/** A place in a list that is ordered by a text and an id: right after this row. */
export interface TextCursor {
  readonly text: string;
  readonly id: string;
}

const form = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})([^\0]*)$/u;

/** Opaque to clients, safe in a URL. */
export function encodeTextCursor({ text, id }: TextCursor): string {
  return Buffer.from(`${id}${text}`).toString('base64url');
}

/** Undefined for text that `encodeTextCursor` cannot produce. */
export function decodeTextCursor(cursor: string): TextCursor | undefined {
  const [, id, text] = form.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (id === undefined || text === undefined) return undefined;
  return encodeTextCursor({ text, id }) === cursor ? { text, id } : undefined;
}
