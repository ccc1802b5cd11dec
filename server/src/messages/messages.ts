import { messagesLimitDefault } from '@messenger/protocol/limits';
import type { Message, MessagePageQuery, NewMessage } from '@messenger/protocol/messages';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MessageReader, Range } from './message-reader.ts';
import type { MessageWriter } from './message-writer.ts';
import type { Sent } from './sends.ts';

export type { Sent };

export interface MessageServices {
  readonly reader: MessageReader;
  readonly writer: MessageWriter;
}

/** A message to be sent: where, and its id. */
export interface SendTarget {
  readonly conversationId: string;
  readonly messageId: string;
}

/**
 * The use cases of messages, for members of their conversation. Rejects with `AppError`: `conversation_not_found`, `not_permitted`,
 * `message_not_found`, `message_id_taken`, `recipient_unavailable`, `recipient_blocked`, and those of the databases.
 */
export class Messages {
  readonly #services: MessageServices;

  constructor(services: MessageServices) {
    this.#services = services;
  }

  /** Stores a message once, however often it is sent with this id. */
  async send(target: SendTarget, message: NewMessage, { userId }: SignedIn, caller: Caller): Promise<Sent> {
    const { body, reply_to: replyTo, thread_of: threadOf } = message;
    const conversationId = target.conversationId.toLowerCase();
    const id = target.messageId.toLowerCase();
    const call = { conversationId, senderId: userId, id, body, replyTo, threadOf };
    const outcome = await this.#services.writer.send(call, caller);
    if (typeof outcome === 'string') throw new AppError(outcome);
    return outcome;
  }

  /** In the order of numbers. Concurrent calls for one page get the same array: do not modify it. */
  async page(
    conversationId: string,
    query: MessagePageQuery,
    { userId }: SignedIn,
    caller: Caller,
  ): Promise<Message[]> {
    const range = rangeOf(conversationId.toLowerCase(), query);
    const page = await this.#services.reader.page({ ...range, userId }, caller);
    if (page === undefined) throw new AppError('conversation_not_found');
    return page;
  }
}

function rangeOf(conversationId: string, query: MessagePageQuery): Range {
  const { before, after, around, limit = messagesLimitDefault } = query;
  const given = Object.entries({ before, after, around }).filter(([, place]) => place !== undefined);
  const second = given[1]?.[0];
  if (second !== undefined) throw invalidQuery(second, 'cannot be combined with another place');
  const range = (from: number, to: number): Range => ({ conversationId, from, to, newest: 0 });
  if (before !== undefined) return range(Math.max(1, before - limit), before - 1);
  if (after !== undefined) return range(after + 1, after + limit);
  if (around === undefined) return { conversationId, from: 0, to: 0, newest: limit };
  const from = Math.max(1, around - Math.floor(limit / 2));
  return range(from, from + limit - 1);
}
