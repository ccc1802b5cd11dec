import type { ConversationKind, MemberRole } from '@messenger/protocol/rights';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';

/** What an account may see of a conversation, and where the conversation is. */
export interface Membership {
  readonly kind: ConversationKind;
  readonly role: MemberRole;
  readonly seq: number;
  readonly last_number: number;
  readonly member_count: number;
  readonly read_number: number;
}

export interface MembershipCall {
  readonly conversationId: string;
  readonly userId: string;
}

const findMemberships = statement<
  Membership & { readonly place: number },
  [conversationIds: readonly string[], userIds: readonly string[]]
>(
  'memberships.find',
  `select wanted.place::int, c.kind, m.role, c.seq::float8, c.last_number::float8, c.member_count, m.read_number::float8
     from unnest($1::uuid[], $2::uuid[]) with ordinality as wanted (conversation_id, user_id, place)
     join members m on m.conversation_id = wanted.conversation_id and m.user_id = wanted.user_id and m.left_at is null
     join conversations c on c.id = wanted.conversation_id and c.deleted_at is null`,
);

const find: BatchableRead<MembershipCall, Membership | undefined> = {
  name: 'memberships.find',
  keyOf: ({ conversationId, userId }) => conversationId + userId,
  isDoubtful: (membership) => membership === undefined,
  one: async (db, { conversationId, userId }) => (await db.query(findMemberships, [[conversationId], [userId]]))[0],
  many: async (db, calls) => {
    const rows = await db.query(findMemberships, [
      calls.map(({ conversationId }) => conversationId),
      calls.map(({ userId }) => userId),
    ]);
    const found = new Map(rows.map((row) => [row.place, row]));
    return calls.map((_, index) => found.get(index + 1));
  },
};

/** Reads memberships from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class MembershipReader {
  /** Undefined without a membership now. */
  readonly find: Read<MembershipCall, Membership | undefined>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
  }
}
