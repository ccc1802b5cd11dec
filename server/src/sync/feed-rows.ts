/** Rows of the log as the JSON that REST has. Values are texts of PostgreSQL; large ones that did not change are missing. */
import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { ServerFrames } from '@messenger/protocol/frames';
import type { Membership } from '@messenger/protocol/members';
import type { Message } from '@messenger/protocol/messages';

import { toLastMessage } from '../conversations/conversation-rows.ts';
import { parseTimestamp } from '../db/session.ts';
import type { FeedRow } from '../feed/feed.ts';
import { toMessage, type MessageRow } from '../messages/message-rows.ts';

type Values = FeedRow['values'];

/** A value that is missing: the row must be read. */
class Missing extends Error {}

const text = (values: Values, name: string): string => orNull(values, name) ?? '';

function orNull(values: Values, name: string): string | null {
  const value = values[name];
  if (value === undefined) throw new Missing(name);
  return value;
}

const number = (values: Values, name: string): number => Number(text(values, name));
const isTrue = (values: Values, name: string): boolean => text(values, name) === 't';
const time = (values: Values, name: string): string => parseTimestamp(text(values, name));

function numberOrNull(values: Values, name: string): number | null {
  const value = orNull(values, name);
  return value === null ? null : Number(value);
}

function timeOrNull(values: Values, name: string): string | null {
  const value = orNull(values, name);
  return value === null ? null : parseTimestamp(value);
}

/** `{…,…}` with values that are never quoted. */
function idsIn(array: string): string[] | null {
  return array === '{}' ? null : array.slice(1, -1).split(',');
}

/** Undefined when a value is missing. */
function whole<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Missing) return undefined;
    throw error;
  }
}

export function messageOf({ values }: FeedRow): Message | undefined {
  return whole(() => toMessage(messageRowOf(values)));
}

function messageRowOf(values: Values): MessageRow {
  const reactions = orNull(values, 'reactions');
  return {
    conversation_id: text(values, 'conversation_id'),
    number: number(values, 'number'),
    id: text(values, 'id'),
    seq: number(values, 'changed_seq'),
    sender_id: text(values, 'sender_id'),
    body: text(values, 'body'),
    reply_to: numberOrNull(values, 'reply_to'),
    thread_of: numberOrNull(values, 'thread_of'),
    thread_count: number(values, 'thread_count'),
    thread_last: numberOrNull(values, 'thread_last'),
    mentions: idsIn(text(values, 'mentions')),
    mentions_all: isTrue(values, 'mentions_all') ? true : null,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The column is written by our statements alone.
    reactions: reactions === null ? null : (JSON.parse(reactions) as MessageRow['reactions']),
    pinned_at: timeOrNull(values, 'pinned_at'),
    pinned_by: orNull(values, 'pinned_by'),
    created_at: time(values, 'created_at'),
    edited_at: timeOrNull(values, 'edited_at'),
    deleted_at: timeOrNull(values, 'deleted_at'),
  };
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A constraint of the table.
const role = (values: Values): Membership['role'] => text(values, 'role') as Membership['role'];

/** No column of members is large. */
export function membershipOf({ values }: FeedRow): Membership {
  return {
    user_id: text(values, 'user_id'),
    role: role(values),
    joined_at: time(values, 'joined_at'),
    left_at: timeOrNull(values, 'left_at'),
    banned: orNull(values, 'banned_at') !== null,
    seq: number(values, 'changed_seq'),
  };
}

export function infoOf({ values }: FeedRow): NonNullable<Changes['conversation']> | undefined {
  return whole(() => ({
    id: text(values, 'id'),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A constraint of the table.
    kind: text(values, 'kind') as Conversation['kind'],
    ...titleOf(values),
    created_by: orNull(values, 'created_by'),
    created_at: time(values, 'created_at'),
  }));
}

function titleOf(values: Values) {
  return {
    title: text(values, 'title'),
    about: text(values, 'about'),
    is_public: isTrue(values, 'is_public'),
    edit_window_seconds: numberOrNull(values, 'edit_window_seconds'),
  };
}

export type Head = Omit<ServerFrames['head'], 'op' | 'position'>;

export function headOf({ values }: FeedRow): Head | undefined {
  return whole(() => ({
    conversation_id: text(values, 'id'),
    ...titleOf(values),
    seq: number(values, 'seq'),
    last_number: number(values, 'last_number'),
    member_count: number(values, 'member_count'),
    active_at: time(values, 'active_at'),
    last_message: toLastMessage({
      last_number: number(values, 'last_number'),
      last_sender_id: orNull(values, 'last_sender_id'),
      last_preview: orNull(values, 'last_preview'),
      active_at: time(values, 'active_at'),
    }),
  }));
}

/** The same of what REST shows. */
export function headIn(conversation: Conversation): Head {
  const { id, title, about, is_public, edit_window_seconds, seq, last_number, member_count } = conversation;
  const { active_at, last_message } = conversation;
  const info = { title, about, is_public, edit_window_seconds };
  return { conversation_id: id, ...info, seq, last_number, member_count, active_at, last_message };
}

/** Of a conversation: how far this row is, and what else it says. */
export interface Counts {
  readonly seq: number;
  readonly infoSeq: number;
  readonly lastNumber: number;
  readonly memberCount: number;
  readonly isDeleted: boolean;
}

/** Small values are never missing. */
export function countsOf({ values }: FeedRow): Counts {
  return {
    seq: number(values, 'seq'),
    infoSeq: number(values, 'info_seq'),
    lastNumber: number(values, 'last_number'),
    memberCount: number(values, 'member_count'),
    isDeleted: orNull(values, 'deleted_at') !== null,
  };
}
