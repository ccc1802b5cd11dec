import { messagesLimitDefault } from '@messenger/protocol/limits';
import type { Message, MessagePageQuery, NewMessage } from '@messenger/protocol/messages';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MessageReader, Range } from './message-reader.ts';
import type { Memberships } from './message-target.ts';
import type { MessageWriter } from './message-writer.ts';
import type { Sent } from './sends.ts';

export type { Sent };

export interface MessageServices {
  readonly reader: MessageReader;
  readonly writer: MessageWriter;
  readonly memberships: Memberships;
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
  async page(conversationId: string, query: MessagePageQuery, account: SignedIn, caller: Caller): Promise<Message[]> {
    const { memberships, reader } = this.#services;
    const id = conversationId.toLowerCase();
    const known = rangeOf(id, query);
    // Without rights, the messages are read for nothing; with them, both reads take one round trip.
    const reading = known && reader.range(known, caller);
    reading?.catch(() => undefined);
    const { last_number: last } = await memberships.get(id, account.userId, caller);
    return await (reading ?? reader.range(newest(id, last, query), caller));
  }
}

function newest(conversationId: string, last: number, { limit = messagesLimitDefault }: MessagePageQuery): Range {
  return { conversationId, from: Math.max(1, last - limit + 1), to: last };
}

/** Undefined for the newest messages, whose numbers only the conversation knows. */
function rangeOf(conversationId: string, query: MessagePageQuery): Range | undefined {
  const { before, after, around, limit = messagesLimitDefault } = query;
  const given = Object.entries({ before, after, around }).filter(([, place]) => place !== undefined);
  const second = given[1]?.[0];
  if (second !== undefined) throw invalidQuery(second, 'cannot be combined with another place');
  if (before !== undefined) return { conversationId, from: Math.max(1, before - limit), to: before - 1 };
  if (after !== undefined) return { conversationId, from: after + 1, to: after + limit };
  if (around === undefined) return undefined;
  const from = Math.max(1, around - Math.floor(limit / 2));
  return { conversationId, from, to: from + limit - 1 };
}
