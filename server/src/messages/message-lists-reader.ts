import type { Message } from '@messenger/protocol/messages';

import { everyone } from '../conversations/conversations-sql.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';

export interface PinsCall {
  readonly conversationId: string;
  readonly limit: number;
  /** Numbers below it. */
  readonly before: number;
}

const pinsPage = statement<MessageRow, [conversationId: string, before: number, limit: number]>(
  'messages.pins',
  `select ${messageColumns('e')} from messages e
    where conversation_id = $1 and number < $2 and pinned_at is not null order by e.number desc limit $3`,
);

const pins = unbatched<PinsCall, Message[]>({
  name: 'messages.pins',
  keyOf: ({ conversationId, limit, before }) => `${conversationId},${limit},${before}`,
  one: async (db, { conversationId, limit, before }) =>
    (await db.query(pinsPage, [conversationId, before, limit])).map(toMessage),
});

export interface ThreadCall extends PinsCall {
  readonly threadOf: number;
  /** Numbers above it. */
  readonly after: number;
  /** Of more replies than the limit: those with the smallest numbers, or with the largest. */
  readonly from: 'first' | 'last';
}

const threadPage = (direction: string): string =>
  `select ${messageColumns('e')} from messages e
    where conversation_id = $1 and thread_of = $2 and number > $3 and number < $4 order by e.number ${direction} limit $5`;

type ThreadValues = [conversationId: string, threadOf: number, after: number, before: number, limit: number];
const threadForwards = statement<MessageRow, ThreadValues>('messages.thread_after', threadPage('asc'));
const threadBackwards = statement<MessageRow, ThreadValues>('messages.thread_before', threadPage('desc'));

const thread = unbatched<ThreadCall, Message[]>({
  name: 'messages.thread',
  keyOf: (call) => JSON.stringify(call),
  one: async (db, { conversationId, threadOf, after, before, limit, from }) => {
    const values: ThreadValues = [conversationId, threadOf, after, before, limit];
    const rows = await db.query(from === 'first' ? threadForwards : threadBackwards, values);
    return rows.map(toMessage).toSorted((one, other) => one.number - other.number);
  },
});

/** Right after this mention in a list. */
export interface MentionPlace {
  readonly createdAt: string;
  readonly conversationId: string;
  readonly number: number;
}

export interface MentionsCall {
  readonly userId: string;
  readonly limit: number;
  readonly after: MentionPlace;
}

const olderThan = '(x.created_at, x.conversation_id, x.number) < ($2, $3, $4)';

const isNotBlocked = '(select true from blocks b where b.user_id = $1 and b.blocked_id = x.sender_id) is null';

/** SQL: mentions of everyone in a conversation `m` since the caller joined, newest first. */
const ofEveryone = (limit: string): string => `(
        select * from mentions x
         where x.user_id = '${everyone}' and x.conversation_id = m.conversation_id and ${olderThan}
           and x.created_at >= m.joined_at and x.sender_id <> $1 and ${isNotBlocked}
         order by x.number desc limit ${limit}
      )`;

/**
 * Mentions of the caller are read in their order, until the page is full: subqueries, because a join may need a sort of all. Those of
 * everyone are read by conversation, because most of them are of other people's; and only of the conversations with the newest ones.
 */
const mentionsPage = statement<
  MessageRow,
  [userId: string, createdAt: string, conversationId: string, number: number, limit: number]
>(
  'messages.mentions',
  `with newest as materialized (
     select m.conversation_id, m.joined_at
       from members m join conversations c on c.id = m.conversation_id and c.deleted_at is null
      cross join lateral ${ofEveryone('1')} x
      where m.user_id = $1 and m.left_at is null
      order by x.created_at desc, x.conversation_id desc limit $5
   ), found as (
     (select x.conversation_id, x.number, x.created_at
        from mentions x
       where x.user_id = $1 and ${olderThan} and ${isNotBlocked}
         and (
           select c.deleted_at is null from members m join conversations c on c.id = m.conversation_id
            where m.conversation_id = x.conversation_id and m.user_id = $1 and m.left_at is null
         )
       order by x.created_at desc, x.conversation_id desc, x.number desc limit $5)
      union
     select x.conversation_id, x.number, x.created_at from newest m cross join lateral ${ofEveryone('$5')} x
   ), page as materialized (
     select * from found order by created_at desc, conversation_id desc, number desc limit $5
   )
   select ${messageColumns('e')}
     from page p join messages e on e.conversation_id = p.conversation_id and e.number = p.number
    order by p.created_at desc, p.conversation_id desc, p.number desc`,
);

const mentions = unbatched<MentionsCall, Message[]>({
  name: 'messages.mentions',
  keyOf: (call) => JSON.stringify(call),
  one: async (db, { userId, limit, after: { createdAt, conversationId, number } }) =>
    (await db.query(mentionsPage, [userId, createdAt, conversationId, number, limit])).map(toMessage),
});

/** Reads lists of messages; all but `mentions` know no rights. Rejects as `Reads` does. */
export class MessageListsReader {
  /** Pinned messages, the largest number first. */
  readonly pins: Read<PinsCall, Message[]>;
  /** Replies of a thread, in the order of numbers. */
  readonly thread: Read<ThreadCall, Message[]>;
  /** Messages that mention the caller, newest first. */
  readonly mentions: Read<MentionsCall, Message[]>;

  constructor(reads: Reads) {
    this.pins = reads.prepare(pins);
    this.thread = reads.prepare(thread);
    this.mentions = reads.prepare(mentions);
  }
}
