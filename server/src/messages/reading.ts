import { messagesLimitDefault, readersMax } from '@messenger/protocol/limits';
import type { Message } from '@messenger/protocol/messages';
import type { MentionPageQuery, ReadPosition, Unread } from '@messenger/protocol/reading';
import type { User } from '@messenger/protocol/users';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import { encodeParts, isCount, isTimestamp, isUuid, readParts } from '../lib/page-cursor.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MentionPlace, MessageListsReader } from './message-lists-reader.ts';
import type { MessageReader } from './message-reader.ts';
import { getMessage, type Memberships, type MessageTarget } from './message-target.ts';
import type { ReadingReader } from './reading-reader.ts';
import type { ReadMark } from './read-marks.ts';
import type { ReadMarkWriter } from './read-mark-writer.ts';

export interface ReadingServices {
  readonly reader: ReadingReader;
  readonly lists: MessageListsReader;
  readonly messages: MessageReader;
  readonly writer: ReadMarkWriter;
  readonly memberships: Memberships;
}

export interface MentionPage {
  readonly messages: Message[];
  /** Cursor of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/**
 * The use cases of reading. Rejects with `AppError`: `conversation_not_found`, `message_not_found`, `not_permitted`, and those of the
 * databases.
 */
export class Reading {
  readonly #services: ReadingServices;

  constructor(services: ReadingServices) {
    this.#services = services;
  }

  /** All messages up to this number are read. Never moves back, and not beyond the last message. */
  async read(target: MessageTarget, by: SignedIn, caller: Caller): Promise<ReadPosition> {
    return await this.#mark({ ...target, userId: by.userId, kind: 'read' }, caller);
  }

  /** This message and all after it are unread. Never moves forward. */
  async unread(target: MessageTarget, by: SignedIn, caller: Caller): Promise<ReadPosition> {
    return await this.#mark({ ...target, userId: by.userId, kind: 'unread' }, caller);
  }

  /** Who has read a message: in direct conversations and small groups. Empty for callers who keep their own reads private. */
  async readers(target: MessageTarget, by: SignedIn, caller: Caller): Promise<User[]> {
    const { membership } = await getMessage(this.#services, target, by, caller);
    const { kind, member_count: count } = membership;
    if (kind === 'channel' || count > readersMax) throw new AppError('not_permitted');
    return await this.#services.reader.readers({ ...target, userId: by.userId }, caller);
  }

  /** Over all conversations of the caller. */
  async sum({ userId }: SignedIn, caller: Caller): Promise<Unread> {
    return await this.#services.reader.unread(userId, caller);
  }

  /** Messages that mention the caller, newest first. */
  async mentions(query: MentionPageQuery, { userId }: SignedIn, caller: Caller): Promise<MentionPage> {
    const { limit = messagesLimitDefault } = query;
    const messages = await this.#services.lists.mentions({ userId, limit, after: placeOf(query.after) }, caller);
    const last = messages.length === limit ? messages.at(-1) : undefined;
    return { messages, next: last && encodeParts([last.created_at, last.conversation_id, String(last.number)]) };
  }

  async #mark(mark: ReadMark, caller: Caller): Promise<ReadPosition> {
    const outcome = await this.#services.writer.mark(mark, caller);
    if (typeof outcome === 'string') throw new AppError(outcome);
    return outcome;
  }
}

const newest: MentionPlace = {
  createdAt: 'infinity',
  conversationId: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  number: Number.MAX_SAFE_INTEGER,
};

function placeOf(after: string | undefined): MentionPlace {
  if (after === undefined) return newest;
  const [createdAt = '', conversationId = '', number = ''] = readParts(after, [isTimestamp, isUuid, isCount]);
  return { createdAt, conversationId, number: Number(number) };
}
