import { randomUUID } from 'node:crypto';

import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { ServerFrames } from '@messenger/protocol/frames';
import type { Message } from '@messenger/protocol/messages';

const moment = '2026-01-01T00:00:00.000000Z';

/** A conversation in memory that keeps all promises. Each message is one change. */
export class Room {
  readonly id: string;
  readonly members: readonly string[];
  readonly messages: Message[] = [];
  readonly #read = new Map<string, number>();
  /** The creation is change 1. */
  seq = 1;

  constructor(members: readonly string[], id: string = randomUUID()) {
    this.id = id;
    this.members = members;
  }

  get lastNumber(): number {
    return this.messages.length;
  }

  /** A repeat returns the stored message. */
  send(senderId: string, id: string, body: string): Message {
    const stored = this.messages.find((message) => message.id === id);
    if (stored !== undefined) return stored;
    this.seq += 1;
    const number = this.lastNumber + 1;
    const { id: conversation_id, seq } = this;
    const message = { conversation_id, number, id, seq, sender_id: senderId, body, created_at: moment };
    this.messages.push(message);
    this.read(senderId, number);
    return message;
  }

  read(userId: string, number: number): void {
    this.#read.set(userId, Math.max(number, this.readNumber(userId)));
  }

  readNumber(userId: string): number {
    return this.#read.get(userId) ?? 0;
  }

  head(): Omit<ServerFrames['head'], 'op' | 'position' | 'conversation_id'> {
    const last = this.messages.at(-1);
    const preview = last && {
      number: last.number,
      sender_id: last.sender_id,
      preview: last.body ?? null,
      created_at: moment,
    };
    const { seq, lastNumber: last_number, members } = this;
    const counts = { seq, last_number, active_at: moment, last_message: preview ?? null, member_count: members.length };
    return { ...counts, title: 'Load', about: '', is_public: false, edit_window_seconds: null };
  }

  me(userId: string): Conversation['me'] {
    const read_number = this.readNumber(userId);
    return { ...emptyState, read_number, unread: this.lastNumber - read_number };
  }

  conversation(userId: string): Conversation {
    return { ...emptyConversation, ...this.head(), id: this.id, me: this.me(userId) };
  }

  /** At most `limit` states after change `after`. */
  changes(after: number, limit = 3): Changes {
    const all = this.messages.filter(({ seq }) => seq > after);
    const messages = all.slice(0, limit);
    const complete = messages.length === all.length;
    const to = complete ? this.seq : (messages.at(-1)?.seq ?? after);
    const { id: conversation_id, lastNumber: last_number, members: people } = this;
    const rest = { conversation: null, members: [], last_number, member_count: people.length };
    return { ...rest, conversation_id, from: after, to, complete, messages };
  }
}

/** Frames of the socket, with one position for all. */
export const frames = {
  head: (room: Room): ServerFrames['head'] => ({
    op: 'head',
    position: 'p',
    conversation_id: room.id,
    ...room.head(),
  }),
  me: (room: Room, userId: string): ServerFrames['me'] => ({
    op: 'me',
    position: 'p',
    conversation_id: room.id,
    me: room.me(userId),
  }),
  changes: (room: Room, after: number): ServerFrames['changes'] => ({
    op: 'changes',
    position: 'p',
    ...room.changes(after),
  }),
} as const;

const emptyState: Omit<Conversation['me'], 'read_number' | 'unread'> = {
  role: 'member',
  joined_at: moment,
  unread_mentions: 0,
  muted_until: null,
  pinned: false,
  archived: false,
};

const emptyConversation: Omit<Conversation, 'id' | 'me' | keyof ReturnType<Room['head']>> = {
  kind: 'group',
  created_by: null,
  created_at: moment,
  other: null,
};
