import { randomUUIDv7 } from 'node:crypto';

import {
  conversationsLimitDefault,
  type Conversation,
  type ConversationCreation,
  type ConversationPageQuery,
  type ConversationPatch,
  type ConversationSettings,
} from '@messenger/protocol/conversations';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidBody, invalidQuery } from '../lib/app-error.ts';
import { decodeCursor, encodeCursor } from '../lib/page-cursor.ts';
import type { ConversationReader } from './conversation-reader.ts';
import type { ConversationWriter } from './conversation-writer.ts';
import type { RevokeMembership } from './revocations.ts';
import { demand } from './verdicts.ts';

/** A conversation, and whether this call has made it. */
export interface Opened {
  readonly conversation: Conversation;
  readonly isNew: boolean;
}

export interface ConversationPage {
  readonly conversations: Conversation[];
  /** The `after` of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/**
 * The use cases of conversations; `me` is the user of the caller. Who is no member gets `conversation_not_found`, as for one that does not
 * exist, and a member without the right `not_permitted`. Rejects with `AppError`: these, `recipient_unavailable`, `recipient_blocked`,
 * `conversation_id_taken`, `invalid_request`, and those of the databases.
 */
export class Conversations {
  readonly #reader: ConversationReader;
  readonly #writer: ConversationWriter;
  readonly #revoke: RevokeMembership;

  constructor(reader: ConversationReader, writer: ConversationWriter, revoke: RevokeMembership) {
    this.#reader = reader;
    this.#writer = writer;
    this.#revoke = revoke;
  }

  /** The direct conversation of two people, which is made when there is none. */
  async openDirect(other: string, me: string, caller: Caller): Promise<Opened> {
    if (other === me) throw new AppError('invalid_request', { detail: 'A direct conversation has two people' });
    const { conversation, isNew, outcome } = await this.#writer.openDirect({ me, other }, caller);
    if (conversation === undefined) demand(outcome);
    return { conversation: orNotFound(conversation), isNew };
  }

  /** A repeated id gets the stored conversation, for its creator alone. */
  async create(wanted: ConversationCreation, me: string, caller: Caller): Promise<Opened> {
    const { id = randomUUIDv7(), kind, title, about = '', is_public: isPublic = false, members = [] } = wanted;
    if (isPublic && kind !== 'channel') throw notPublic();
    const call = { id, me, kind, title, about, isPublic, members };
    const { conversation, isNew, outcome, place } = await this.#writer.create(call, caller);
    if (conversation?.created_by === me) return { conversation, isNew };
    if (conversation !== undefined || outcome === 'done') throw new AppError('conversation_id_taken');
    const errors = [{ in: 'body', field: `members.${place}`, message: 'cannot be added' }] as const;
    throw new AppError(outcome, { errors });
  }

  async get(id: string, me: string, caller: Caller): Promise<Conversation> {
    return orNotFound(await this.#reader.find({ id, me }, caller));
  }

  /** Newest activity first. */
  async list(query: ConversationPageQuery, me: string, caller: Caller): Promise<ConversationPage> {
    const { limit = conversationsLimitDefault, archived } = query;
    const after = query.after === undefined ? undefined : decodeCursor(query.after);
    if (query.after !== undefined && after === undefined) throw invalidQuery('after', 'is not a cursor of this list');
    const isArchived = archived === undefined ? undefined : archived === 'true';
    const conversations = await this.#reader.page({ me, limit, archived: isArchived, after }, caller);
    const last = conversations.length === limit ? conversations.at(-1) : undefined;
    return { conversations, next: last && encodeCursor({ createdAt: last.active_at, id: last.id }) };
  }

  async change(id: string, patch: ConversationPatch, me: string, caller: Caller): Promise<Conversation> {
    const { outcome, conversation } = await this.#writer.change({ id, me, patch }, caller);
    if (outcome === 'invalid_request') throw notPublic();
    demand(outcome);
    return orNotFound(conversation);
  }

  /** From now on, it does not exist for anybody. Its rows are removed later. */
  async delete(id: string, me: string, caller: Caller): Promise<void> {
    demand(await this.#writer.remove({ id, me }, caller));
    await this.#revoke(id);
  }

  /** Changes what the caller alone sees; absent fields stay unchanged. */
  async configure(id: string, settings: ConversationSettings, me: string, caller: Caller): Promise<Conversation> {
    return orNotFound(await this.#writer.configure({ id, me, settings }, caller));
  }
}

function orNotFound(conversation: Conversation | undefined): Conversation {
  if (conversation === undefined) throw new AppError('conversation_not_found');
  return conversation;
}

function notPublic(): AppError {
  return invalidBody('is_public', 'is possible for channels alone');
}
