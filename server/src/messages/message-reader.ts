import type { Message } from '@messenger/protocol/messages';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import type { MessageTarget } from './message-target.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';

/** Messages from one number to another, both included, or the newest ones. Numbers have no gaps, so a page is a range. */
export interface Range {
  readonly conversationId: string;
  readonly from: number;
  readonly to: number;
  /** How many of the newest, in place of `from` and `to`; 0 for none. */
  readonly newest: number;
}

/** The limit makes PostgreSQL read the key in its order; without, it also reads another index of the whole conversation. */
export const findRanges = statement<
  MessageRow & { readonly page: number },
  [conversationIds: readonly string[], from: readonly number[], to: readonly number[], newest: readonly number[]]
>(
  'messages.range',
  `select wanted.page::int, ${messageColumns('m')}
     from (
       select page, given.conversation_id, case when newest = 0 then first else last_number - newest + 1 end as first,
              case when newest = 0 then last else last_number end as last
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[]) with ordinality
              as given (conversation_id, first, last, newest, page)
         join conversations on id = given.conversation_id
     ) as wanted
    cross join lateral (
      select * from messages
       where messages.conversation_id = wanted.conversation_id and number between wanted.first and wanted.last
       order by number limit greatest(wanted.last - wanted.first + 1, 0)
    ) as m
    order by wanted.page, m.number`,
);

/** With 200 messages per page of up to 32 kB each; most are far smaller. */
const maxRanges = 64;

const range: BatchableRead<Range, Message[]> = {
  name: 'messages.range',
  maxSize: maxRanges,
  keyOf: ({ conversationId, from, to, newest }) => `${conversationId},${from},${to},${newest}`,
  one: async (db, call) => (await findAll([call], db))[0] ?? [],
  many: async (db, calls) => findAll(calls, db),
};

/** One message, by its number. A standby that lacks it may be late. */
const find: BatchableRead<MessageTarget, Message | undefined> = {
  name: 'messages.find',
  keyOf: ({ conversationId, number }) => `${conversationId},${number}`,
  isDoubtful: (message) => message === undefined,
  one: async (db, call) => (await findAll([rangeOf(call)], db))[0]?.[0],
  many: async (db, calls) => (await findAll(calls.map(rangeOf), db)).map(([message]) => message),
};

function rangeOf({ conversationId, number }: MessageTarget): Range {
  return { conversationId, from: number, to: number, newest: 0 };
}

async function findAll(calls: readonly Range[], db: Parameters<typeof range.one>[0]): Promise<Message[][]> {
  const rows = await db.query(findRanges, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ from }) => from),
    calls.map(({ to }) => to),
    calls.map(({ newest }) => newest),
  ]);
  const pages = calls.map((): Message[] => []);
  for (const row of rows) pages[row.page - 1]?.push(toMessage(row));
  return pages;
}

/** Reads messages from a server that is fresh enough for the caller; knows no rights. Rejects as `Reads` does. */
export class MessageReader {
  /** In the order of numbers. Concurrent calls for one range get the same array: do not modify it. */
  readonly range: Read<Range, Message[]>;
  readonly find: Read<MessageTarget, Message | undefined>;

  constructor(reads: Reads) {
    this.range = reads.prepare(range);
    this.find = reads.prepare(find);
  }
}
