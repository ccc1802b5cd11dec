import type { Message } from '@messenger/protocol/messages';

import type { Violations } from './violations.ts';

/** A message of the run, by what its sender knows of it. */
export interface Sent {
  readonly id: string;
  /** The user id of the sender. */
  readonly senderId: string;
  readonly body: string;
  /** When it should have been sent. */
  readonly dueMs: number;
  /** `uncertain`: neither acknowledged nor refused, so it may be stored. */
  outcome: 'uncertain' | 'acknowledged' | 'refused';
}

/**
 * All that anybody was told of one conversation. Numbers and ids are compared between all people: whoever is told something first sets
 * the expectation for the others.
 */
export class Ledger {
  /** Of the conversation. */
  readonly id: string;
  /** For samples. */
  readonly name: string;
  readonly violations: Violations;
  readonly #sent = new Map<string, Sent>();
  readonly #numbers = new Map<string, number>();
  readonly #ids = new Map<number, string>();
  readonly #waiting = new Map<number, ((sent: Sent) => void)[]>();
  #base: { readonly seq: number; readonly number: number } | undefined;
  #lastAcknowledged = 0;

  constructor(id: string, name: string, violations: Violations) {
    this.id = id;
    this.name = name;
    this.violations = violations;
  }

  /** The state before the run: the first one that anybody is told. */
  get base(): { readonly seq: number; readonly number: number } {
    return this.#base ?? { seq: 0, number: 0 };
  }

  /** The highest number of the run that was acknowledged; before, that of the base. */
  get lastAcknowledged(): number {
    return Math.max(this.base.number, this.#lastAcknowledged);
  }

  /** The highest number that there can be. */
  get lastPossible(): number {
    return this.base.number + this.#sent.size;
  }

  /** Whether nothing was sent in the run. */
  get isUnused(): boolean {
    return this.#sent.size === 0;
  }

  startAt(seq: number, number: number): void {
    this.#base ??= { seq, number };
  }

  send(message: Sent): void {
    this.#sent.set(message.id, message);
  }

  acknowledge(message: Sent, number: number): void {
    message.outcome = 'acknowledged';
    this.#lastAcknowledged = Math.max(this.#lastAcknowledged, number);
    this.#assign(number, message.id, 'its sender');
  }

  /** Checks a message that `viewer` is shown. Returns what was sent; undefined for messages from before the run, and unknown ones. */
  show({ number, id, sender_id, body }: Message, viewer: string): Sent | undefined {
    const sent = this.#sent.get(id);
    if (sent === undefined) {
      if (number > this.base.number) this.#report('unknown message', `${viewer} was shown number ${number}`);
      return undefined;
    }
    if (sent.outcome === 'refused') this.#report('unknown message', `number ${number} was refused to its sender`);
    if (sent.body !== body || sent.senderId !== sender_id)
      this.#report('wrong message', `number ${number} differs for ${viewer}`);
    this.#assign(number, id, viewer);
    return sent;
  }

  /** Calls `use` with the message of this number, at once or when it is known. */
  whenKnown(number: number, use: (sent: Sent) => void): void {
    const sent = this.#sent.get(this.#ids.get(number) ?? '');
    if (sent !== undefined) use(sent);
    else if (number > this.base.number) this.#waiting.set(number, [...(this.#waiting.get(number) ?? []), use]);
  }

  /** Messages after `number`, counted one by one. */
  countAfter(number: number): number {
    const ofTheRun = this.#ids.keys().reduce((count, one) => (one > number ? count + 1 : count), 0);
    return ofTheRun + Math.max(0, this.base.number - number);
  }

  /** Numbers of acknowledged messages. */
  *acknowledged(): Generator<number> {
    for (const [number, id] of this.#ids) if (this.#sent.get(id)?.outcome === 'acknowledged') yield number;
  }

  #assign(number: number, id: string, teller: string): void {
    const known = this.#numbers.get(id);
    if (known === number) return;
    if (known !== undefined) this.#report('message stored twice', `as ${known}, and as ${number} for ${teller}`);
    else if (this.#ids.has(number)) this.#report('different order', `number ${number} is another one for ${teller}`);
    else {
      this.#numbers.set(id, number);
      this.#ids.set(number, id);
      this.#settle(number, id);
    }
  }

  #settle(number: number, id: string): void {
    const sent = this.#sent.get(id);
    if (sent !== undefined) for (const use of this.#waiting.get(number) ?? []) use(sent);
    this.#waiting.delete(number);
  }

  #report(kind: Parameters<Violations['add']>[0], sample: string): void {
    this.violations.add(kind, `${this.name}: ${sample}`);
  }
}
