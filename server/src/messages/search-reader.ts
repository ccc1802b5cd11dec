import type { Message } from '@messenger/protocol/messages';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';

/** A place in the results: right after this message. */
export interface SearchPlace {
  readonly createdAt: string;
  readonly conversationId: string;
  readonly number: number;
}

export interface SearchCall {
  /** Messages of conversations of which it is a member now. */
  readonly userId: string;
  /** The text form of a `tsquery`. */
  readonly words: string;
  readonly conversationId: string | undefined;
  readonly senderId: string | undefined;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly place: SearchPlace | undefined;
  readonly limit: number;
}

type Values = [
  userId: string,
  words: string,
  conversationId: string | undefined,
  senderId: string | undefined,
  after: string,
  before: string,
  placeAt: string,
  placeConversation: string,
  placeNumber: number,
  limit: number,
];

/** The newest messages of the server that are compared with the words one by one, in 1 ms, to estimate how many have them. */
const sampleWindow = 2_000;

/** The same, in 8 ms, if the sample promises a page in them. */
const walkWindow = 16_000;

/** The same in few conversations: of all of them together. */
const directWindow = 1_600;

/**
 * More conversations are too many to be read one by one, and too many words in one query of the index: 300 take seconds, 8 take 2 ms. Then the
 * index finds the messages of others, too.
 */
const few = 8;

const place = '(e.created_at, e.conversation_id, e.number)';
const newestFirst = 'order by e.created_at desc, e.conversation_id desc, e.number desc';
const isInRange = `e.created_at >= $5 and e.created_at < $6 and ${place} < ($7, $8, $9)`;
const isFrom = '($4::uuid is null or e.sender_id = $4)';
/** In a subquery, because the cast would be repeated for each row. */
const hasWords = 'e.search @@ (select $2::tsquery)';
/** `is true` makes it a hash lookup: a join would compare each message with each conversation. */
const isMine = '(e.conversation_id in (select id from mine)) is true';

/** SQL: the newest matches among so many of the newest messages of the server, on a condition. */
const walk = (window: number, condition: string): string => `select e.created_at, e.conversation_id, e.number
       from (select * from messages e where ${isInRange} ${newestFirst} limit ${window}) e
      where ${condition} and ${hasWords} and ${isFrom} and ${isMine}
      ${newestFirst} limit $10`;

/**
 * Two ways that read the newest messages without the index, and are complete only for words that are in many of them: `direct` reads few
 * conversations one by one; it is complete when it finds a page in each of them, or has read all of it. `walked` reads the newest messages of
 * the server; it is complete when it fills the page. Else `indexed` reads the index of words, and with it every message that has them. CTEs,
 * because the planner knows neither the words nor the memberships. docs/decisions/0071-search.md has the figures.
 */
const searchMessages = statement<MessageRow, Values>(
  'messages.search',
  `with mine as materialized (
     select c.id, c.last_number
       from members m join conversations c on c.id = m.conversation_id and c.deleted_at is null
      where m.user_id = $1 and m.left_at is null and ($3::uuid is null or m.conversation_id = $3)
   ), scope as materialized (
     select count(*) as conversations from mine
   ), direct as materialized (
     select e.created_at, e.conversation_id, e.number
       from mine cross join lateral (
         select * from (
           select * from messages where conversation_id = mine.id order by number desc
            limit (select ${directWindow} / greatest(conversations, 1) from scope)
         ) e
          where ${hasWords} and ${isFrom} and ${isInRange} order by number desc limit $10
       ) e
      where (select conversations <= ${few} from scope)
   ), sampled as materialized (
     ${walk(sampleWindow, `(select conversations > ${few} from scope)`)}
   ), walked as materialized (
     ${walk(walkWindow, `(select count(*) < $10 and count(*) * ${walkWindow / sampleWindow} >= $10 from sampled)`)}
   ), gap as materialized (
     select case when conversations > ${few} then (select count(*) from sampled) < $10 and (select count(*) from walked) < $10
                 else exists (
                   select from mine
                    where last_number > ${directWindow} / conversations
                      and (select count(*) from direct d where d.conversation_id = mine.id) < $10
                 ) end as is_there
       from scope
   ), indexed as materialized (
     select e.created_at, e.conversation_id, e.number, e.sender_id
       from messages e
      where (select is_there from gap)
        and e.search @@ (
          select (case when conversations <= ${few}
                       then (select '(' || string_agg('''#' || replace(id::text, '-', '') || '''', ' | ') || ') & ' from mine)
                       else '' end || $2)::tsquery
            from scope
        )
   ), page as materialized (
     select * from (
       select * from direct union select * from sampled union select * from walked union
       select created_at, conversation_id, number from indexed e where ${isMine} and ${isFrom} and ${isInRange}
     ) e ${newestFirst} limit $10
   )
   select ${messageColumns('m')}
     from page e join messages m on m.conversation_id = e.conversation_id and m.number = e.number ${newestFirst}`,
);

/** Precedes every message. */
const newest: SearchPlace = {
  createdAt: 'infinity',
  conversationId: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  number: Number.MAX_SAFE_INTEGER,
};

const search = unbatched<SearchCall, Message[]>({
  name: 'messages.search',
  keyOf: (call) => JSON.stringify(call),
  one: async (db, { userId, words, conversationId, senderId, before, after, place: from = newest, limit }) => {
    const range = [
      after ?? '-infinity',
      before ?? 'infinity',
      from.createdAt,
      from.conversationId,
      from.number,
    ] as const;
    const rows = await db.query(searchMessages, [userId, words, conversationId, senderId, ...range, limit]);
    return rows.map(toMessage);
  },
});

/** Searches messages on a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class SearchReader {
  /** Newest first. Deleted messages have no words. */
  readonly search: Read<SearchCall, Message[]>;

  constructor(reads: Reads) {
    this.search = reads.prepare(search);
  }
}
