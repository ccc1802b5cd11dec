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
  readonly thread_count: number;
  readonly thread_last: number | null;
  /** Null without mentions: an empty array takes pg as long to parse as all other columns. */
  readonly mentions: string[] | null;
  readonly mentions_all: boolean;
  readonly reactions: Readonly<Record<string, Omit<Reaction, 'emoji'>>> | null;
  readonly pinned_at: string | null;
  readonly pinned_by: string | null;
  readonly created_at: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
}

/** SQL: the columns of a message. Numbers are far below 2^53, so float8 holds them exactly, and arrives as a number. */
export function messageColumns(messages: string): string {
  const columns = [
    'conversation_id',
    'number::float8',
    'id',
    'changed_seq::float8 as seq',
    'sender_id',
    'body',
    'reply_to::float8',
    'thread_of::float8',
    'thread_count',
    'thread_last::float8',
    'mentions_all',
    'reactions',
    'pinned_at',
    'pinned_by',
    'created_at',
    'edited_at',
    'deleted_at',
  ];
  return `${columns.map((column) => `${messages}.${column}`).join(', ')}, nullif(${messages}.mentions, '{}')::text[] as mentions`;
}

/** The row, and what it has beside the columns of a message. */
export function toMessage(row: MessageRow): Message {
  const { conversation_id, number, id, seq, sender_id, mentions, mentions_all, created_at, edited_at, deleted_at } =
    row;
  return {
    conversation_id,
    number,
    id,
    seq,
    sender_id,
    body: deleted_at === null ? row.body : null,
    reply_to: row.reply_to,
    thread_of: row.thread_of,
    thread: row.thread_last === null ? null : { count: row.thread_count, last_number: row.thread_last },
    mentions: mentions ?? [],
    mentions_all,
    reactions: reactionsOf(row.reactions),
    pinned_at: row.pinned_at,
    pinned_by: row.pinned_by,
    created_at,
    edited_at,
    deleted_at,
  };
}

const noReactions: Reaction[] = [];

function reactionsOf(reactions: MessageRow['reactions']): Reaction[] {
  if (reactions === null) return noReactions;
  return Object.entries(reactions).map(([emoji, { count, user_ids }]) => ({ emoji, count, user_ids }));
}
