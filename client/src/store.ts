import type { Conversation, Membership, Message, ServerFrames, User } from './api.ts';
import type { ConnectionState } from './connection.ts';
import { ConversationState } from './conversation-state.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What has changed in a conversation; each state comes once, and never after a newer one. */
export interface ConversationEvent {
  readonly conversation_id: string;
  readonly messages: readonly Message[];
  readonly members: readonly Membership[];
}

/** What can be subscribed to: these, and conversations by their ids. */
export interface Events {
  readonly connection: ConnectionState;
  /** The list of conversations, or anything that it shows. */
  readonly conversations: undefined;
  /** Messages that are on their way. */
  readonly outbox: undefined;
  readonly presence: undefined;
  readonly [conversationId: `conversation:${string}`]: ConversationEvent;
}

/** The conversations of the person. */
export class Store {
  user: User | undefined;
  readonly #subscriptions: Subscriptions<Events>;
  readonly #states = new Map<string, ConversationState>();
  #list: readonly Conversation[] | undefined;

  constructor(subscriptions: Subscriptions<Events>) {
    this.#subscriptions = subscriptions;
  }

  find(id: string): ConversationState | undefined {
    return this.#states.get(id);
  }

  get all(): readonly ConversationState[] {
    return [...this.#states.values()];
  }

  /** Pinned ones first, then by their last messages. The same array until something changes. */
  get list(): readonly Conversation[] {
    this.#list ??= this.all.map(({ view }) => view).toSorted(byPlace);
    return this.#list;
  }

  put(head: Conversation, position: string): void {
    const state = this.#states.get(head.id);
    if (state === undefined) this.#states.set(head.id, new ConversationState(head, position));
    else state.applyHead(head, position);
    this.changed(head.id);
  }

  /** Of another timeline: what was known may never have happened. */
  replace(head: Conversation, position: string): void {
    const wantedRead = this.#states.get(head.id)?.wantedRead ?? 0;
    const state = new ConversationState(head, position);
    state.wantedRead = wantedRead;
    this.#states.set(head.id, state);
    this.changed(head.id);
  }

  remove(id: string): void {
    if (this.#states.delete(id)) this.changed(id);
  }

  /** Tells those who look at the list and at the conversation. */
  changed(id: string, { messages = [], members = [] }: Partial<ConversationEvent> = {}): void {
    this.#list = undefined;
    this.#subscriptions.emit(`conversation:${id}`, { conversation_id: id, messages, members });
    this.#subscriptions.emit('conversations', undefined);
  }

  applyShortHead(frame: ServerFrames['head']): void {
    this.find(frame.conversation_id)?.applyShortHead(frame);
    this.changed(frame.conversation_id);
  }

  applyOwn({ conversation_id: id, me, position }: ServerFrames['me']): void {
    this.find(id)?.applyOwn(me, position);
    this.changed(id);
  }
}

function byPlace(one: Conversation, other: Conversation): number {
  if (one.me.pinned !== other.me.pinned) return one.me.pinned ? -1 : 1;
  if (one.active_at !== other.active_at) return one.active_at < other.active_at ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}
