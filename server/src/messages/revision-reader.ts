import type { Revision } from '@messenger/protocol/messages';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';

export interface RevisionsCall {
  readonly conversationId: string;
  readonly number: number;
  readonly limit: number;
  /** Revisions below it. */
  readonly before: number;
}

const selectPage = statement<Revision, [conversationId: string, number: number, before: number, limit: number]>(
  'revisions.page',
  `select revision, body, written_at from message_revisions
    where conversation_id = $1 and number = $2 and revision < $3::bigint order by revision desc limit $4`,
);

const page = unbatched<RevisionsCall, Revision[]>({
  name: 'revisions.page',
  keyOf: (call) => JSON.stringify(call),
  one: async (db, { conversationId, number, before, limit }) =>
    db.query(selectPage, [conversationId, number, before, limit]),
});

/** Reads earlier bodies of a message, newest first; knows no rights. Rejects as `Reads` does. */
export class RevisionReader {
  readonly page: Read<RevisionsCall, Revision[]>;

  constructor(reads: Reads) {
    this.page = reads.prepare(page);
  }
}
