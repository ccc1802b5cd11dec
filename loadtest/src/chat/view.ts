import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { Message } from '@messenger/protocol/messages';

import type { Ledger, Sent } from './ledger.ts';
import type { ViolationKind } from './violations.ts';

type Head = Pick<Conversation, 'seq' | 'last_number'>;

/** A message that arrived live in an open conversation. */
export interface Arrival {
  readonly message: Message;
  readonly sent: Sent;
}

/** What one device of one person has been shown of one conversation. Whatever arrives is compared with that. */
export class View {
  readonly ledger: Ledger;
  readonly #viewer: string;
  /** The newest that was shown, in lists or open. */
  #seq = 0;
  #lastNumber = 0;
  #readNumber = 0;
  /** By hand: what was read before the run, and what was acknowledged since. */
  #readByHand = 0;
  #isReadCertain = true;
  /** Of the chain of changes: the position (undefined before the first list), the newest state of a message, the number that comes next. */
  #to: number | undefined;
  #messageSeq = 0;
  #nextNumber = 1;
  #state: 'closed' | 'opening' | 'live' = 'closed';

  constructor(ledger: Ledger, viewer: string) {
    this.ledger = ledger;
    this.#viewer = viewer;
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Up to where this person has read, by all that was shown and acknowledged. */
  get readNumber(): number {
    return Math.max(this.#readNumber, this.#readByHand);
  }

  /** Up to where this person must have read; undefined after a call without an answer. */
  get expectedRead(): number | undefined {
    return this.#isReadCertain ? this.#readByHand : undefined;
  }

  /** Whether the last acknowledged message was shown, and nothing is loading. */
  get isUpToDate(): boolean {
    return this.#state !== 'opening' && this.#lastNumber >= this.ledger.lastAcknowledged;
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  get isOpen(): boolean {
    return this.#state !== 'closed';
  }

  /** Whether a list has contained it. */
  get isListed(): boolean {
    return this.#to !== undefined;
  }

  /** Returns the `after` of the `open` frame. */
  open(): number {
    this.#state = 'opening';
    return this.#to ?? 0;
  }

  /** By a `close` frame, or with the socket. */
  close(): void {
    this.#state = 'closed';
  }

  /** Forgets what was loaded since the start of the run, so that the next `open` loads it again. */
  rewind(): void {
    this.#to = this.ledger.base.seq;
    this.#messageSeq = 0;
    this.#nextNumber = this.ledger.base.number + 1;
  }

  /** A conversation in `welcome`, `heads` or `joined`. */
  onListed(conversation: Pick<Conversation, 'seq' | 'last_number' | 'me'>): void {
    const { seq, last_number: lastNumber, me } = conversation;
    this.ledger.startAt(seq, lastNumber);
    if (this.#to === undefined) {
      this.#to = seq;
      this.#nextNumber = lastNumber + 1;
      this.acknowledge(me.read_number);
    }
    this.onHead(conversation);
    if (me.unread !== Math.max(0, lastNumber - me.read_number))
      this.#report('wrong unread', `${me.unread} unread; last ${lastNumber}, read ${me.read_number}`);
    this.#onRead(me.read_number);
  }

  /** Returns the numbers that are new: the first and the last, or undefined. */
  onHead({ seq, last_number: lastNumber }: Head): { readonly first: number; readonly last: number } | undefined {
    if (seq < this.#seq || lastNumber < this.#lastNumber)
      this.#report('step back', `change ${seq} after ${this.#seq}, message ${lastNumber} after ${this.#lastNumber}`);
    const first = this.#lastNumber + 1;
    this.#saw(seq, lastNumber);
    return first <= lastNumber ? { first, last: lastNumber } : undefined;
  }

  /**
   * A `me` frame: the own state after it changed on any device. Its `unread` may be of an earlier moment than the list, so clients compute it;
   * here it must not count messages that nobody has sent.
   */
  onOwnState({ read_number: readNumber, unread }: Conversation['me']): void {
    if (unread < 0 || readNumber + unread > this.ledger.lastPossible)
      this.#report('wrong unread', `${unread} after ${readNumber}; ${this.ledger.lastPossible} is the last possible`);
    this.#onRead(readNumber);
  }

  /** The server has acknowledged that this device has read up to `number`, or sent it. */
  acknowledge(number: number): void {
    this.#readByHand = Math.max(this.#readByHand, number);
  }

  /** The outcome of a call that reads or sends is not known. */
  doubtRead(): void {
    this.#isReadCertain = false;
  }

  /** Returns the messages that have arrived live; and whether, with this frame, everything before has been loaded. */
  onChanges(changes: Changes): { readonly arrivals: readonly Arrival[]; readonly isNowLive: boolean } {
    if (!this.isOpen) return { arrivals: [], isNowLive: false };
    const { from, to, complete, last_number: lastNumber, messages } = changes;
    const wasLive = this.isLive;
    if (from !== this.#to) this.#report('gap in changes', `from ${from}, expected ${this.#to}`);
    if (to < from || (complete && to < this.#seq)) this.#report('step back', `to ${to} after ${this.#seq}`);
    const arrivals = messages.flatMap((message) => this.#onMessage(message, changes) ?? []);
    this.#to = Math.max(to, from);
    if (complete && lastNumber >= this.#nextNumber)
      this.#report('hole in numbers', `${this.#nextNumber} to ${lastNumber} are missing up to change ${to}`);
    this.#saw(to, this.#nextNumber - 1);
    if (complete) this.#state = 'live';
    return { arrivals: wasLive ? arrivals : [], isNowLive: complete && !wasLive };
  }

  /** A list of all conversations does not contain it. */
  reportMissing(): void {
    this.#report('missing conversation', 'not in the list');
  }

  /** When all is quiet: has this device, which is connected, been told of everything? */
  checkDelivered(): void {
    const { lastAcknowledged } = this.ledger;
    if (this.#lastNumber < lastAcknowledged)
      this.#report(
        'undelivered message',
        `${lastAcknowledged} was acknowledged, ${this.#lastNumber} is the last shown`,
      );
  }

  /** When all is quiet, on the device of the run. */
  checkAtEnd(): void {
    this.checkDelivered();
    if (this.expectedRead !== undefined) this.checkRead(this.expectedRead);
  }

  /** When all is quiet and all changes are loaded: are all messages among them? */
  checkHistory(): void {
    for (const number of this.ledger.acknowledged())
      if (number >= this.#nextNumber) this.#report('lost message', `${number} is not in the history`);
  }

  /** When all is quiet: is exactly that read which this person read or sent? */
  checkRead(expected: number): void {
    if (this.#lastNumber < this.ledger.lastAcknowledged) return; // Undelivered.
    const [unread, counted] = [this.#lastNumber - this.readNumber, this.ledger.countAfter(expected)];
    if (unread !== counted)
      this.#report('wrong unread', `${unread} after message ${this.readNumber}; ${counted} counted after ${expected}`);
  }

  #onMessage(message: Message, { from, to }: Changes): Arrival | undefined {
    const sent = this.ledger.show(message, this.#viewer);
    const { number, seq } = message;
    if (seq > to) this.#report('gap in changes', `change ${seq} in a frame up to ${to}`);
    if (seq <= Math.max(from, this.#messageSeq))
      this.#report('state shown twice', `message ${number}, change ${seq}, in a frame from ${from}`);
    this.#messageSeq = Math.max(this.#messageSeq, seq);
    if (number < this.#nextNumber) return undefined; // A newer state of a message that was shown.
    if (number > this.#nextNumber) this.#report('hole in numbers', `${number} where ${this.#nextNumber} was next`);
    this.#nextNumber = number + 1;
    return sent === undefined ? undefined : { message, sent };
  }

  #onRead(readNumber: number): void {
    if (readNumber < this.#readNumber) this.#report('step back', `read up to ${readNumber} after ${this.#readNumber}`);
    this.#readNumber = Math.max(this.#readNumber, readNumber);
  }

  #saw(seq: number, lastNumber: number): void {
    this.#seq = Math.max(this.#seq, seq);
    this.#lastNumber = Math.max(this.#lastNumber, lastNumber);
  }

  #report(kind: ViolationKind, sample: string): void {
    this.ledger.violations.add(kind, `${this.ledger.name}, ${this.#viewer}: ${sample}`);
  }
}
