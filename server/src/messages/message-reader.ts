import type { Message } from '@messenger/protocol/messages';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';
import type { MessageTarget } from './message-target.ts';

/** Messages from one number to another, both included, or the newest ones. Numbers have no gaps, so a page is a range. */
export interface Range {
  readonly conversationId: string;
  readonly from: number;
  readonly to: number;
  /** How many of the newest, in place of `from` and `to`; 0 for none. */
  readonly newest: number;
}

/** A range that is read by somebody. */
export interface PageCall extends Range {
  readonly userId: string;
}

/** A message, or the only row of a page without messages. */
type PageRow = (MessageRow | { readonly number: null }) & {
  readonly page: number;
  /** In the first row of a page: which of the callers are members, separated by commas; null for none. */
  readonly members: string | null;
};

/**
 * Pages, and who of their callers may read them. A page without messages has one row, without a number. The limit makes PostgreSQL read the
 * key in its order; without, it also reads another index of the whole conversation.
 */
export const findPages = statement<
  PageRow,
  [
    conversationIds: readonly string[],
    from: readonly number[],
    to: readonly number[],
    newest: readonly number[],
    userIds: readonly string[],
  ]
>(
  'messages.page',
  `select wanted.page::int, case when m.number is null or m.number = wanted.first then wanted.members end as members,
          ${messageColumns('m')}
     from (
       select page, given.conversation_id, case when newest = 0 then first else greatest(last_number - newest, 0) + 1 end as first,
              case when newest = 0 then last else last_number end as last,
              (select string_agg(u::text, ',') from unnest(given.user_ids::uuid[]) u
                where (select true from members m where m.conversation_id = given.conversation_id and m.user_id = u and m.left_at is null)
              ) as members
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::text[]) with ordinality
              as given (conversation_id, first, last, newest, user_ids, page)
         join conversations on id = given.conversation_id and deleted_at is null
     ) as wanted
     left join lateral (
      select * from messages
       where messages.conversation_id = wanted.conversation_id and number between wanted.first and wanted.last
       order by number limit greatest(wanted.last - wanted.first + 1, 0)
    ) as m on true
    order by wanted.page, m.number`,
);

/** With 200 messages per page of up to 32 kB each; most are far smaller. */
const maxPages = 64;

const page: BatchableRead<PageCall, Message[] | undefined> = {
  name: 'messages.page',
  maxSize: maxPages,
  keyOf: (call) => rangeKeyOf(call) + call.userId,
  isDoubtful: (messages) => messages === undefined,
  one: async (db, call) => (await readPages(db, [call]))[0],
  many: readPages,
};

interface WantedPage {
  readonly range: Range;
  readonly userIds: string[];
  readonly messages: Message[];
  members: string;
}

/** Each page is read once, whoever wants it. */
async function readPages(db: Queryable, calls: readonly PageCall[]): Promise<(Message[] | undefined)[]> {
  const wanted = new Map<string, WantedPage>();
  const pageOf = calls.map((call) => {
    const key = rangeKeyOf(call);
    let one = wanted.get(key);
    if (one === undefined) wanted.set(key, (one = { range: call, userIds: [], messages: [], members: '' }));
    one.userIds.push(call.userId);
    return one;
  });
  const pages = [...wanted.values()];
  const rows = await db.query(findPages, [
    pages.map(({ range }) => range.conversationId),
    pages.map(({ range }) => range.from),
    pages.map(({ range }) => range.to),
    pages.map(({ range }) => range.newest),
    pages.map(({ userIds }) => `{${userIds.join()}}`),
  ]);
  for (const row of rows) {
    const one = pages[row.page - 1];
    if (one === undefined) continue;
    if (row.members !== null) one.members = row.members;
    if (row.number !== null) one.messages.push(toMessage(row));
  }
  return pageOf.map(({ members, messages }, index) =>
    members.includes(calls[index]?.userId ?? '-') ? messages : undefined,
  );
}

function rangeKeyOf({ conversationId, from, to, newest }: Range): string {
  return `${conversationId},${from},${to},${newest},`;
}

const findByNumbers = statement<
  MessageRow & { readonly place: number },
  [conversationIds: readonly string[], numbers: readonly number[]]
>(
  'messages.find',
  `select wanted.place::int, ${messageColumns('m')}
     from unnest($1::uuid[], $2::bigint[]) with ordinality as wanted (conversation_id, number, place)
     join messages m on m.conversation_id = wanted.conversation_id and m.number = wanted.number`,
);

/** One message, by its number. A standby that lacks it may be late. */
const find: BatchableRead<MessageTarget, Message | undefined> = {
  name: 'messages.find',
  keyOf: ({ conversationId, number }) => `${conversationId},${number}`,
  isDoubtful: (message) => message === undefined,
  one: async (db, call) => (await findAll(db, [call]))[0],
  many: findAll,
};

async function findAll(db: Queryable, calls: readonly MessageTarget[]): Promise<(Message | undefined)[]> {
  const rows = await db.query(findByNumbers, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ number }) => number),
  ]);
  const found = new Map(rows.map((row) => [row.place, toMessage(row)]));
  return calls.map((_, index) => found.get(index + 1));
}

/** Reads messages from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class MessageReader {
  /**
   * In the order of numbers; undefined for everybody but members. Concurrent calls for one range get the same array: do not modify it.
   */
  readonly page: Read<PageCall, Message[] | undefined>;
  /** Knows no rights. */
  readonly find: Read<MessageTarget, Message | undefined>;

  constructor(reads: Reads) {
    this.page = reads.prepare(page);
    this.find = reads.prepare(find);
  }
}
