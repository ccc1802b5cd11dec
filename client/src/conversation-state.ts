import type { Changes, Conversation, Membership, Message, ServerFrames } from './api.ts';
import { isBefore } from './positions.ts';

type OwnState = Conversation['me'];

/** What one conversation is to this client. Every part has its own measure of age: an older state never replaces a newer one. */
export class ConversationState {
  /** The change up to which this client has followed the conversation; undefined before the first time. */
  followed: number | undefined;
  /** From this number on, all messages are here. */
  first: number | undefined;
  /** Changes with each `reset`: what was asked for before it is void. */
  epoch = 0;
  /** The last message that the person has read here; the server may not know it yet. */
  wantedRead = 0;
  readonly #messages = new Map<number, Message>();
  readonly #members = new Map<string, Membership>();
  #head: Conversation;
  /** The moment of `me`, and of a head with the same `seq`. */
  #position: string;
  /** The change up to which title and the like, and the last message, are known. */
  #infoSeq: number;
  #lastSeq: number;
  #view: Conversation | undefined;
  #list: readonly Message[] | undefined;

  constructor(head: Conversation, position: string) {
    this.#head = head;
    this.#position = position;
    this.#infoSeq = head.seq;
    this.#lastSeq = head.seq;
  }

  get id(): string {
    return this.#head.id;
  }

  get seq(): number {
    return this.#head.seq;
  }

  /** As the person sees it: `unread` follows from `last_number` and what was read here. */
  get view(): Conversation {
    if (this.#view === undefined) {
      const { me, last_number: last } = this.#head;
      const read = Math.max(me.read_number, Math.min(this.wantedRead, last));
      const mentions = read >= last ? 0 : me.unread_mentions;
      const own = { ...me, read_number: read, unread: Math.max(0, last - read), unread_mentions: mentions };
      this.#view = { ...this.#head, me: own };
    }
    return this.#view;
  }

  /** All messages from `first` on, in their order. The same array until one changes. */
  get messages(): readonly Message[] {
    if (this.#list === undefined) {
      const { first = Infinity } = this;
      const numbers = [...this.#messages.keys()].filter((number) => number >= first);
      this.#list = numbers.toSorted((a, b) => a - b).flatMap((number) => this.#messages.get(number) ?? []);
    }
    return this.#list;
  }

  /** Present and former members, as far as they are known. */
  get members(): readonly Membership[] {
    return [...this.#members.values()];
  }

  /** Whether a stored message is not here yet, and will come. */
  expects(number: number): boolean {
    return !this.#messages.has(number) && number >= (this.first ?? 0);
  }

  applyHead(head: Conversation, position: string): void {
    const isOlder = isBefore(position, this.#position);
    if (head.seq > this.seq || (head.seq === this.seq && !isOlder)) {
      this.#head = { ...head, me: this.#head.me };
      this.#infoSeq = head.seq;
      this.#lastSeq = head.seq;
    }
    this.applyOwn(head.me, position);
  }

  applyShortHead({ op: _op, position: _position, conversation_id: _id, ...head }: ServerFrames['head']): void {
    if (head.seq <= this.seq) return;
    this.#head = { ...this.#head, ...head };
    this.#infoSeq = head.seq;
    this.#lastSeq = head.seq;
    this.#touch();
  }

  applyOwn(me: OwnState, position: string): void {
    this.#touch();
    if (isBefore(position, this.#position)) return;
    this.#position = position;
    this.#head = { ...this.#head, me };
  }

  /** The server has stored that all up to this number is read. */
  applyRead(number: number, position: string | undefined): void {
    const { me } = this.#head;
    const read_number = Math.max(me.read_number, number);
    if (position === undefined) this.#head = { ...this.#head, me: { ...me, read_number } };
    else this.applyOwn({ ...me, read_number }, position);
    if (this.wantedRead <= number) this.wantedRead = 0;
    this.#touch();
  }

  /** The server will not store what was read here. */
  refuseRead(): void {
    this.wantedRead = 0;
    this.#touch();
  }

  wantRead(number: number): void {
    this.wantedRead = Math.max(this.wantedRead, number);
    this.#touch();
  }

  /** Of consecutive changes. Returns the states that are new here. */
  applyChanges(changes: Changes): { readonly messages: readonly Message[]; readonly members: readonly Membership[] } {
    this.followed = changes.to;
    const messages = this.merge(changes.messages);
    const members = changes.members.filter((one) => this.#mergeMember(one));
    if (changes.conversation !== null && changes.to > this.#infoSeq) {
      this.#head = { ...this.#head, ...changes.conversation };
      this.#infoSeq = changes.to;
    }
    if (changes.to >= this.seq || changes.complete) {
      const { member_count, last_number } = changes;
      this.#head = { ...this.#head, member_count, last_number: Math.max(last_number, this.#head.last_number) };
    }
    // Also those that a page had brought before.
    for (const message of changes.messages) this.#applyLast(message);
    this.#head = { ...this.#head, seq: Math.max(this.seq, changes.to) };
    this.#touch();
    return { messages, members };
  }

  /** Of any source. Returns the states that are new here. */
  merge(messages: readonly Message[]): readonly Message[] {
    this.#list = undefined;
    return messages.filter((message) => {
      const held = this.#messages.get(message.number);
      if (held !== undefined && held.seq >= message.seq) return false;
      this.#messages.set(message.number, message);
      return true;
    });
  }

  /** The messages before `first`, or the newest ones when there are none: complete down to the first of the page. */
  mergePage(page: readonly Message[], limit: number): readonly Message[] {
    const fresh = this.merge(page);
    const [oldest] = page;
    this.first = oldest === undefined || page.length < limit ? 1 : oldest.number;
    return fresh;
  }

  /** Forgets all but the head: it is loaded again. */
  reset(): void {
    this.#messages.clear();
    this.#members.clear();
    this.followed = undefined;
    this.first = undefined;
    this.epoch += 1;
    this.#list = undefined;
  }

  #mergeMember(member: Membership): boolean {
    const held = this.#members.get(member.user_id);
    if (held !== undefined && held.seq >= member.seq) return false;
    this.#members.set(member.user_id, member);
    return true;
  }

  #applyLast({ number, sender_id, body, created_at, seq }: Message): void {
    const known = this.#head.last_message?.number ?? 0;
    if (number < known || (number === known && seq <= this.#lastSeq)) return;
    const preview = typeof body === 'string' ? Array.from(body).slice(0, previewLength).join('') : null;
    const last_message = { number, sender_id, preview, created_at };
    const last_number = Math.max(number, this.#head.last_number);
    this.#head = { ...this.#head, last_message, active_at: created_at, last_number };
    this.#lastSeq = seq;
  }

  #touch(): void {
    this.#view = undefined;
  }
}

const previewLength = 200;
