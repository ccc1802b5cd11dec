import { messagesLimitDefault } from '@messenger/protocol/limits';
import type { BackwardsPageQuery, Message, Revision, ThreadPageQuery } from '@messenger/protocol/messages';
import { mayDo } from '@messenger/protocol/rights';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MessageListsReader } from './message-lists-reader.ts';
import type { MessageReader } from './message-reader.ts';
import { getMessage, type Memberships, type MessageTarget } from './message-target.ts';
import type { MessageWriter } from './message-writer.ts';
import type { RevisionReader } from './revision-reader.ts';

export interface MessageHistoryServices {
  readonly messages: MessageReader;
  readonly lists: MessageListsReader;
  readonly revisions: RevisionReader;
  readonly writer: MessageWriter;
  readonly memberships: Memberships;
}

/**
 * The use cases of a message that was sent: edits, deletion, pins, threads. Rejects with `AppError`: `conversation_not_found`,
 * `message_not_found`, `not_permitted`, `edit_window_over`, `recipient_unavailable`, `recipient_blocked`, and those of the databases.
 */
export class MessageHistory {
  readonly #services: MessageHistoryServices;

  constructor(services: MessageHistoryServices) {
    this.#services = services;
  }

  /** Also a deleted message, without its content. */
  async get(target: MessageTarget, by: SignedIn, caller: Caller): Promise<Message> {
    return (await getMessage(this.#services, target, by, caller)).message;
  }

  /** For its sender. The same body changes nothing. */
  async edit(target: MessageTarget, body: string, { userId }: SignedIn, caller: Caller): Promise<Message> {
    const outcome = await this.#services.writer.edit({ ...target, userId, body }, caller);
    if (typeof outcome === 'string') throw new AppError(outcome);
    return outcome;
  }

  /** Earlier bodies, newest first: for the sender, and for those who may delete the message. */
  async revisions(
    target: MessageTarget,
    { limit = messagesLimitDefault, before = Number.MAX_SAFE_INTEGER }: BackwardsPageQuery,
    by: SignedIn,
    caller: Caller,
  ): Promise<Revision[]> {
    const { message, membership } = await getMessage(this.#services, target, by, caller);
    const { kind, role } = membership;
    const isOwn = message.sender_id === by.userId;
    if (!isOwn && !mayDo('delete_messages', kind, role)) throw new AppError('not_permitted');
    return await this.#services.revisions.page({ ...target, limit, before }, caller);
  }

  /** Of an own message, or with the right. A repeated call changes nothing. */
  async delete(target: MessageTarget, { userId }: SignedIn, caller: Caller): Promise<void> {
    demand(await this.#services.writer.delete({ ...target, userId }, caller));
  }

  /** A repeated call changes nothing. */
  async pin(target: MessageTarget, pinned: boolean, { userId }: SignedIn, caller: Caller): Promise<void> {
    demand(await this.#services.writer.pin({ ...target, userId, pinned }, caller));
  }

  /** Pinned messages, the largest number first. */
  async pins(
    conversationId: string,
    { limit = messagesLimitDefault, before = Number.MAX_SAFE_INTEGER }: BackwardsPageQuery,
    { userId }: SignedIn,
    caller: Caller,
  ): Promise<Message[]> {
    await this.#services.memberships.get(conversationId, userId, caller);
    return await this.#services.lists.pins({ conversationId, limit, before }, caller);
  }

  /** Replies in a thread, in the order of numbers. */
  async thread(target: MessageTarget, query: ThreadPageQuery, by: SignedIn, caller: Caller): Promise<Message[]> {
    const { before, after, limit = messagesLimitDefault } = query;
    if (before !== undefined && after !== undefined) throw invalidQuery('after', 'cannot be combined with before');
    await getMessage(this.#services, target, by, caller);
    const { conversationId, number: threadOf } = target;
    const range = { after: after ?? 0, before: before ?? Number.MAX_SAFE_INTEGER };
    const from = after === undefined ? 'last' : 'first';
    return await this.#services.lists.thread({ conversationId, threadOf, limit, ...range, from }, caller);
  }
}

function demand(outcome: 'done' | 'unchanged' | ConstructorParameters<typeof AppError>[0]): void {
  if (outcome !== 'done' && outcome !== 'unchanged') throw new AppError(outcome);
}
