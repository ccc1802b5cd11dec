export interface Due {
  readonly dueMs: number;
}

/**
 * A binary heap, ordered by `dueMs`, which must not change while an item is in it. One timer per item costs several times as
 * much: Node keeps a list per duration, and think times are random.
 */
export class DueQueue<Item extends Due> {
  readonly #heap: Item[] = [];

  push(item: Item): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.dueMs <= item.dueMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  /** Removes and returns the first item if it is due at `nowMs`. */
  takeDue(nowMs: number): Item | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #sink(item: Item): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const below = this.#earlierChild(at);
      const child = heap[below];
      if (child === undefined || child.dueMs >= item.dueMs) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = item;
  }

  #earlierChild(at: number): number {
    const left = 2 * at + 1;
    const leftMs = this.#heap[left]?.dueMs ?? Infinity;
    const rightMs = this.#heap[left + 1]?.dueMs ?? Infinity;
    return rightMs < leftMs ? left + 1 : left;
  }
}
