import type { ClientFrame, ServerFrames } from './api.ts';
import type { Clock } from './clock.ts';

export type Presence = ServerFrames['presence']['people'][number];

interface LiveOptions {
  readonly clock: Clock;
  readonly send: (frame: ClientFrame) => boolean;
  readonly onTyping: (conversationId: string) => void;
  readonly onPresence: () => void;
}

const typingEveryMs = 3_000;
const typingEndsMs = 6_000;

/** What is not stored: who is typing, and who is there. */
export class Presences {
  readonly #options: LiveOptions;
  /** By conversation and person: the timer that ends it. */
  readonly #typing = new Map<string, Map<string, unknown>>();
  readonly #toldAt = new Map<string, number>();
  readonly #people = new Map<string, Presence>();
  #looked: readonly string[] = [];
  #isAway = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  typing(conversationId: string): readonly string[] {
    return [...(this.#typing.get(conversationId)?.keys() ?? [])];
  }

  find(userId: string): Presence | undefined {
    return this.#people.get(userId);
  }

  /** The person is typing. Call it on each key: a frame is sent every 3 s. */
  type(conversationId: string): void {
    const { clock, send } = this.#options;
    const toldAt = this.#toldAt.get(conversationId);
    if (toldAt !== undefined && clock.now() - toldAt < typingEveryMs) return;
    if (send({ op: 'typing', conversation_id: conversationId })) this.#toldAt.set(conversationId, clock.now());
  }

  look(userIds: readonly string[]): void {
    this.#looked = userIds;
    for (const id of this.#people.keys()) if (!userIds.includes(id)) this.#people.delete(id);
    this.#options.send({ op: 'look', user_ids: userIds });
  }

  away(isAway: boolean): void {
    this.#isAway = isAway;
    this.#options.send({ op: 'away', away: isAway });
  }

  /** A connection is ready. */
  online(): void {
    this.#toldAt.clear();
    if (this.#looked.length > 0) this.look(this.#looked);
    if (this.#isAway) this.away(true);
  }

  /** Nothing is known without a connection. */
  offline(): void {
    for (const [id, people] of this.#typing) for (const userId of people.keys()) this.endTyping(id, userId);
    if (this.#people.size === 0) return;
    this.#people.clear();
    this.#options.onPresence();
  }

  receiveTyping({ conversation_id: id, user_id: userId }: ServerFrames['typing']): void {
    const { clock, onTyping } = this.#options;
    const people = this.#typing.get(id) ?? new Map<string, unknown>();
    const isNew = !people.has(userId);
    clock.clearTimeout(people.get(userId));
    people.set(
      userId,
      clock.setTimeout(() => this.endTyping(id, userId), typingEndsMs),
    );
    this.#typing.set(id, people);
    if (isNew) onTyping(id);
  }

  /** Also when a message of the person has come. */
  endTyping(id: string, userId: string): void {
    const people = this.#typing.get(id);
    if (people?.has(userId) !== true) return;
    this.#options.clock.clearTimeout(people.get(userId));
    people.delete(userId);
    if (people.size === 0) this.#typing.delete(id);
    this.#options.onTyping(id);
  }

  receivePresence({ people }: ServerFrames['presence']): void {
    for (const one of people) if (this.#looked.includes(one.user_id)) this.#people.set(one.user_id, one);
    this.#options.onPresence();
  }
}
