/** Broken promises of the server. Unlike a failed request, one is enough: the run has failed, whatever the assertions allow. */
export const violationKinds = {
  'lost message': 'an acknowledged message is not in the history that a member loads',
  'undelivered message': 'a connected member was not told of an acknowledged message',
  'message stored twice': 'one message has two numbers',
  'state shown twice': 'a socket was sent a state that it had',
  'gap in changes': 'a frame does not begin where the frame before ended',
  'hole in numbers': 'messages were shown without one between them',
  'different order': 'one number was given to two messages',
  'step back': 'something older was sent than what the person had been shown',
  'wrong unread': 'the unread messages are not those after the last one read',
  'stale read': 'a read after the acknowledgement does not contain the message',
  'wrong message': 'a message is not as it was sent',
  'unknown message': 'a message that nobody sent, or that was refused',
  'missing conversation': 'a list of all conversations lacks one',
} as const;

export type ViolationKind = keyof typeof violationKinds;

export interface Violation {
  readonly kind: ViolationKind;
  readonly count: number;
  /** The first one. Names people and conversations by their place in the run, never by what users typed. */
  readonly sample: string;
}

export class Violations {
  readonly #found = new Map<ViolationKind, Violation>();

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  add(kind: ViolationKind, sample: string): void {
    this.merge({ kind, count: 1, sample });
  }

  merge({ kind, count, sample }: Violation): void {
    const known = this.#found.get(kind) ?? { kind, count: 0, sample };
    this.#found.set(kind, { ...known, count: known.count + count });
  }

  list(): Violation[] {
    return [...this.#found.values()].toSorted((a, b) => b.count - a.count);
  }
}
