import type { Conversation } from '@messenger/protocol/conversations';

import { unreadMentions } from './conversations-sql.ts';

/** A row of `conversationSql`. */
export interface ConversationRow {
  readonly id: string;
  readonly kind: Conversation['kind'];
  readonly title: string;
  readonly about: string;
  readonly is_public: boolean;
  readonly created_by: string | null;
  readonly created_at: string;
  readonly edit_window_seconds: number | null;
  readonly member_count: number;
  readonly seq: number;
  readonly last_number: number;
  readonly active_at: string;
  readonly last_sender_id: string | null;
  readonly last_preview: string | null;
  readonly user_id: string;
  readonly role: Conversation['me']['role'];
  readonly joined_at: string;
  readonly read_number: number;
  readonly muted_until: string | null;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly unread_mentions: number;
  readonly other_id: string | null;
  readonly first_name: string;
  readonly last_name: string;
  readonly other_created_at: string;
  readonly other_updated_at: string;
}

const ownColumns = 'role, joined_at, read_number, muted_until, pinned, archived, other_id';

/** Of `members`; `inner` of a page of conversations. */
export const memberColumns = `conversation_id, user_id, ${ownColumns}`;

/** Of `conversations` as `c` joined with `members` as `m`. */
export const headColumns = `c.id, c.kind, c.title, c.about, c.is_public, c.created_by, c.created_at, c.edit_window_seconds,
         c.member_count, c.seq, c.last_number, c.active_at, c.last_sender_id, c.last_preview, m.user_id,
         ${ownColumns
           .split(', ')
           .map((name) => `m.${name}`)
           .join(', ')}`;

/** Conversations as their members see them. `heads` selects `headColumns`, and perhaps `place`. */
export function conversationSql(heads: string, place = ''): string {
  return `select h.id, h.kind, h.title, h.about, h.is_public, h.created_by, h.created_at, h.edit_window_seconds, h.member_count,
       h.seq::float8, h.last_number::float8, h.active_at, h.last_sender_id, h.last_preview, h.user_id, h.role, h.joined_at,
       h.read_number::float8, h.muted_until, h.pinned, h.archived, unread_mentions,
       u.id as other_id, first_name, last_name, u.created_at as other_created_at, u.updated_at as other_updated_at${place}
  from (${heads}) as h
  left join users as u on u.id = h.other_id
 cross join lateral (${unreadMentions('h.user_id')}) as mentioned`;
}

export function toConversation(row: ConversationRow): Conversation {
  const { id, kind, title, about, is_public, created_by, created_at, edit_window_seconds, member_count } = row;
  const { seq, last_number, active_at } = row;
  const info = { id, kind, title, about, is_public, created_by, created_at, edit_window_seconds, member_count };
  const head = { seq, last_number, active_at, last_message: toLastMessage(row) };
  return { ...info, ...head, other: otherOf(row), me: ownStateOf(row) };
}

export function toLastMessage(
  row: Pick<ConversationRow, 'last_number' | 'last_sender_id' | 'last_preview' | 'active_at'>,
): Conversation['last_message'] {
  const { last_number: number, last_sender_id: sender, last_preview: preview, active_at: createdAt } = row;
  return sender === null ? null : { number, sender_id: sender, preview, created_at: createdAt };
}

function otherOf(row: ConversationRow): Conversation['other'] {
  const { other_id: id, first_name, last_name, other_created_at: created_at, other_updated_at: updated_at } = row;
  return id === null ? null : { id, first_name, last_name, created_at, updated_at };
}

function ownStateOf(row: ConversationRow): Conversation['me'] {
  const { role, joined_at, last_number, read_number, unread_mentions, muted_until, pinned, archived } = row;
  const unread = Math.max(last_number - read_number, 0);
  return { role, joined_at, read_number, unread, unread_mentions, muted_until, pinned, archived };
}
