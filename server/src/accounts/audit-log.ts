import type { AuditEvent, AuditPageQuery } from '@messenger/protocol/audit';
import { pageLimitDefault } from '@messenger/protocol/limits';

import type { Caller } from '../db/caller.ts';
import { invalidQuery } from '../lib/app-error.ts';
import { decodeCursor, encodeCursor, type PageCursor } from '../lib/page-cursor.ts';
import type { AuditReader } from './audit-reader.ts';

export interface AuditPage {
  readonly events: AuditEvent[];
  /** Cursor of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/** The use cases of security events. Rejects with `invalid_request` for an invalid cursor. */
export class AuditLog {
  readonly #reader: AuditReader;

  constructor(reader: AuditReader) {
    this.#reader = reader;
  }

  /** Newest first. */
  async list(query: AuditPageQuery, caller: Caller): Promise<AuditPage> {
    const { limit = pageLimitDefault, kind } = query;
    const userId = query.user_id?.toLowerCase();
    const events = await this.#reader.page({ limit, after: readCursor(query.after), userId, kind }, caller);
    const last = events.length === limit ? events.at(-1) : undefined;
    return { events, next: last && encodeCursor({ createdAt: last.at, id: last.id }) };
  }
}

function readCursor(after: string | undefined): PageCursor | undefined {
  if (after === undefined) return undefined;
  const cursor = decodeCursor(after);
  if (cursor !== undefined) return cursor;
  throw invalidQuery('after', 'is not a cursor of this list');
}
