import type { Conversation, ServerFrames } from './api.ts';
import { isOtherTimeline } from './positions.ts';
import type { Store } from './store.ts';

/** One `welcome` and the `heads` after it: the list of conversations as the server has it. */
export class Welcome {
  readonly position: string;
  readonly #store: Store;
  readonly #isWhole: boolean;
  /** Nothing of what this client knows is sure to have happened. */
  readonly #isOtherTimeline: boolean;
  readonly #present = new Set<string>();
  readonly #left = new Set<string>();

  constructor(store: Store, { position, whole }: ServerFrames['welcome'], before: string | undefined) {
    this.#store = store;
    this.position = position;
    this.#isWhole = whole;
    this.#isOtherTimeline = before !== undefined && isOtherTimeline(before, position);
  }

  apply({ heads, left }: Omit<ServerFrames['heads'], 'op'>): void {
    for (const head of heads) if (!this.#left.has(head.id)) this.#put(head);
    for (const id of left) if (!this.#present.has(id)) this.#store.remove(id);
  }

  /** The person has joined or left it since: what comes of the list is older. */
  joined(id: string): void {
    this.#left.delete(id);
    this.#present.add(id);
  }

  left(id: string): void {
    this.#present.delete(id);
    this.#left.add(id);
  }

  /** What is not in a whole list is gone. */
  complete(): void {
    if (!this.#isWhole) return;
    for (const { id } of this.#store.all) if (!this.#present.has(id)) this.#store.remove(id);
  }

  #put(head: Conversation): void {
    const isKnown = this.#present.has(head.id);
    this.#present.add(head.id);
    if (this.#isOtherTimeline && !isKnown) this.#store.replace(head, this.position);
    else this.#store.put(head, this.position);
  }
}
