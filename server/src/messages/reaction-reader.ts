import type { GivenReaction } from '@messenger/protocol/reactions';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';

/** Right after this reaction in a list. */
export interface ReactionPlace {
  readonly emoji: string;
  readonly userId: string;
}

export interface ReactionsCall {
  readonly conversationId: string;
  readonly number: number;
  /** Empty for all. */
  readonly emoji: string;
  readonly limit: number;
  readonly after: ReactionPlace;
}

interface ReactionRow {
  readonly emoji: string;
  readonly user_id: string;
  readonly created_at: string;
  /** The user's are null after the end of the account. */
  readonly first_name: string | null;
  readonly last_name: string;
  readonly user_created_at: string;
  readonly user_updated_at: string;
}

const selectPage = statement<
  ReactionRow,
  [
    conversationId: string,
    number: number,
    first: string,
    last: string,
    afterEmoji: string,
    afterUser: string,
    limit: number,
  ]
>(
  'reactions.page',
  `select r.emoji, r.user_id, r.created_at, u.first_name, u.last_name, u.created_at as user_created_at, u.updated_at as user_updated_at
     from reactions r left join users u on u.id = r.user_id
    where r.conversation_id = $1 and r.number = $2 and r.emoji between $3 and $4 and (r.emoji, r.user_id) > ($5, $6)
    order by r.emoji, r.user_id limit $7`,
);

/** Between them are all emoji, in the order of code points. */
const allKinds = ['', '\u{10FFFF}'] as const;

function toReaction({ emoji, user_id, created_at, first_name, last_name, ...user }: ReactionRow): GivenReaction {
  const { user_created_at, user_updated_at } = user;
  const names = { id: user_id, last_name, created_at: user_created_at, updated_at: user_updated_at };
  return { emoji, user_id, user: first_name === null ? null : { first_name, ...names }, created_at };
}

const page = unbatched<ReactionsCall, GivenReaction[]>({
  name: 'reactions.page',
  keyOf: (call) => JSON.stringify(call),
  one: async (db, { conversationId, number, emoji, after, limit }) => {
    const kinds = emoji === '' ? allKinds : ([emoji, emoji] as const);
    const rows = await db.query(selectPage, [conversationId, number, ...kinds, after.emoji, after.userId, limit]);
    return rows.map(toReaction);
  },
});

/** Reads who has reacted to a message, in the order of emoji and people; knows no rights. Rejects as `Reads` does. */
export class ReactionReader {
  readonly page: Read<ReactionsCall, GivenReaction[]>;

  constructor(reads: Reads) {
    this.page = reads.prepare(page);
  }
}
