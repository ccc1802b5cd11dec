import { GateRefusal } from './gate.ts';

interface Waiting {
  admit(): void;
}

/**
 * One at a time per key, first come first served. A key that nobody holds costs one entry of a map. At most `maxWaiting`
 * wait, all keys together; one more rejects with `GateRefusal`. Whoever waits leaves when its signal aborts.
 */
export class KeyTurns {
  readonly #maxWaiting: number;
  readonly #held = new Map<string, Set<Waiting>>();
  #waiting = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Runs `use` while nobody else has the key. */
  async take<T>(key: string, signal: AbortSignal, use: () => Promise<T>): Promise<T> {
    const queue = this.#held.get(key);
    if (queue === undefined) this.#held.set(key, new Set());
    else await this.#wait(queue, signal);
    try {
      return await use();
    } finally {
      this.#pass(key);
    }
  }

  #pass(key: string): void {
    const [next] = this.#held.get(key) ?? [];
    if (next === undefined) this.#held.delete(key);
    else next.admit();
  }

  #wait(queue: Set<Waiting>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting >= this.#maxWaiting) throw new GateRefusal('full');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting -= 1;
      queue.delete(waiting);
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      leave();
      reject(signal.reason);
    };
    const waiting: Waiting = {
      admit: () => {
        leave();
        resolve();
      },
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting += 1;
    queue.add(waiting);
    return promise;
  }
}
