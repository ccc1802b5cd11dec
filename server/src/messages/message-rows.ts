import type { Message, Reaction } from '@messenger/protocol/messages';

/** A row of `messageColumns`. */
export interface MessageRow {
  readonly conversation_id: string;
  readonly number: number;
  readonly id: string;
  readonly seq: number;
  readonly sender_id: string;
  readonly body: string;
  readonly reply_to: number | null;
  readonly thread_of: number | null;
  /** Null without a thread. */
  readonly thread_count: number | null;
  readonly thread_last: number | null;
  /** Null without mentions: an empty array takes pg as long to parse as all other columns. */
  readonly mentions: string[] | null;
  /** Null if not. */
  readonly mentions_all: true | null;
  readonly reactions: Readonly<Record<string, Omit<Reaction, 'emoji'>>> | null;
  readonly pinned_at: string | null;
  readonly pinned_by: string | null;
  readonly created_at: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
}

/**
 * SQL: the columns of a message, null for what most messages lack: other values take time to write and to parse. Numbers are far below 2^53,
 * so float8 holds them exactly, and arrives as a number.
 */
export function messageColumns(messages: string): string {
  const plain = ['conversation_id', 'id', 'sender_id', 'body', 'reactions', 'pinned_at', 'pinned_by'];
  const times = ['created_at', 'edited_at', 'deleted_at'];
  const counts = ['number', 'reply_to', 'thread_of', 'thread_last'].map((column) => `${column}::float8`);
  return [
    ...[...plain, ...times, ...counts, 'changed_seq::float8 as seq'].map((column) => `${messages}.${column}`),
    `nullif(${messages}.thread_count, 0) as thread_count`,
    `nullif(${messages}.mentions_all, false) as mentions_all`,
    `case when cardinality(${messages}.mentions) > 0 then ${messages}.mentions::text[] end as mentions`,
  ].join(', ');
}

/** The row, and what it has beside the columns of a message. */
export function toMessage(row: MessageRow): Message {
  const { conversation_id, number, id, seq, sender_id, created_at } = row;
  const message: Message = { conversation_id, number, id, seq, sender_id, created_at };
  if (row.deleted_at === null) message.body = row.body;
  else message.deleted_at = row.deleted_at;
  if (row.edited_at !== null) message.edited_at = row.edited_at;
  if (row.reply_to !== null) message.reply_to = row.reply_to;
  if (row.thread_of !== null) message.thread_of = row.thread_of;
  if (row.thread_last !== null) message.thread = { count: row.thread_count ?? 0, last_number: row.thread_last };
  if (row.mentions !== null) message.mentions = row.mentions;
  if (row.mentions_all !== null) message.mentions_all = row.mentions_all;
  if (row.reactions !== null) message.reactions = reactionsOf(row.reactions);
  if (row.pinned_at !== null) message.pinned_at = row.pinned_at;
  if (row.pinned_by !== null) message.pinned_by = row.pinned_by;
  return message;
}

function reactionsOf(reactions: NonNullable<MessageRow['reactions']>): Reaction[] {
  return Object.entries(reactions).map(([emoji, { count, user_ids }]) => ({ emoji, count, user_ids }));
}
