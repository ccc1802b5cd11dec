import type { Unread } from '@messenger/protocol/reading';
import type { User } from '@messenger/protocol/users';

import { unreadMentions } from '../conversations/conversations-sql.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';

export interface ReadersCall {
  readonly conversationId: string;
  readonly number: number;
  /** Whoever keeps reads private sees those of nobody. */
  readonly userId: string;
}

const selectReaders = statement<User, [conversationId: string, number: number, userId: string]>(
  'messages.readers',
  `select u.id, u.first_name, u.last_name, u.created_at, u.updated_at
     from members m
     join messages e on e.conversation_id = m.conversation_id and e.number = $2 and e.sender_id <> m.user_id
     join accounts a on a.user_id = m.user_id and not a.reads_private
     join users u on u.id = m.user_id
    where m.conversation_id = $1 and m.left_at is null and m.read_number >= $2
      and exists (select from accounts where user_id = $3 and not reads_private)
    order by u.id`,
);

const readers = unbatched<ReadersCall, User[]>({
  name: 'messages.readers',
  keyOf: ({ conversationId, number, userId }) => `${conversationId},${number},${userId}`,
  one: async (db, { conversationId, number, userId }) => db.query(selectReaders, [conversationId, number, userId]),
});

interface UnreadRow {
  readonly is_muted: boolean;
  readonly conversations: number;
  readonly messages: number;
  readonly mentions: number;
}

export const sumUnread = statement<UnreadRow, [userId: string]>(
  'messages.unread',
  `select is_muted, count(*)::int as conversations, sum(unread)::float8 as messages, sum(unread_mentions)::int as mentions
     from (
       select m.user_id, c.id, m.read_number, c.last_number, c.last_number - m.read_number as unread,
              coalesce(m.muted_until > now(), false) as is_muted
         from members m join conversations c on c.id = m.conversation_id
        where m.user_id = $1 and m.left_at is null and c.deleted_at is null and c.last_number > m.read_number
     ) as h cross join lateral (${unreadMentions('$1')}) as mentioned
    group by is_muted`,
);

const unread = unbatched<string, Unread>({
  name: 'messages.unread',
  keyOf: (userId) => userId,
  one: async (db, userId) => {
    const rows = await db.query(sumUnread, [userId]);
    const sums = (muted: boolean): Omit<UnreadRow, 'is_muted'> => {
      const { is_muted: _, ...found } = rows.find((row) => row.is_muted === muted) ?? { ...nothing, is_muted: muted };
      return found;
    };
    return { ...sums(false), muted: sums(true) };
  },
});

const nothing = { conversations: 0, messages: 0, mentions: 0 };

/** Reads what is read and what is not. Rejects as `Reads` does. */
export class ReadingReader {
  /** Who has read a message, in the order of ids; knows no rights. */
  readonly readers: Read<ReadersCall, User[]>;
  /** The sums of a user. */
  readonly unread: Read<string, Unread>;

  constructor(reads: Reads) {
    this.readers = reads.prepare(readers);
    this.unread = reads.prepare(unread);
  }
}
