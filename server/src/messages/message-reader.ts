import type { Message } from '@messenger/protocol/messages';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import type { MessageTarget } from './message-target.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';

/** Messages from one number to another, both included. Numbers have no gaps, so a page is a range. */
export interface Range {
  readonly conversationId: string;
  readonly from: number;
  readonly to: number;
}

const findRanges = statement<
  MessageRow & { readonly page: number },
  [conversationIds: readonly string[], from: readonly number[], to: readonly number[]]
>(
  'messages.range',
  `select wanted.page::int, ${messageColumns('m')}
     from unnest($1::uuid[], $2::bigint[], $3::bigint[]) with ordinality as wanted (conversation_id, first, last, page)
     join messages m on m.conversation_id = wanted.conversation_id and m.number between wanted.first and wanted.last
    order by wanted.page, m.number`,
);

/** With 200 messages per page of up to 32 kB each; most are far smaller. */
const maxRanges = 64;

const range: BatchableRead<Range, Message[]> = {
  name: 'messages.range',
  maxSize: maxRanges,
  keyOf: ({ conversationId, from, to }) => `${conversationId},${from},${to}`,
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
  return { conversationId, from: number, to: number };
}

async function findAll(calls: readonly Range[], db: Parameters<typeof range.one>[0]): Promise<Message[][]> {
  const rows = await db.query(findRanges, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ from }) => from),
    calls.map(({ to }) => to),
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
