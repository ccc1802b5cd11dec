import { GateRefusal } from './gate.ts';
import type { Lifetime } from './lifetime.ts';

interface Waiting {
  admit(): void;
}

interface WaitLimits {
  readonly signal: Lifetime;
  readonly timeoutMs: number;
}

/**
 * One at a time per key, first come first served. A key that nobody holds costs one entry of a map. At most `maxWaiting`
 * wait, all keys together; one more rejects with `GateRefusal`, and so does one that waits for too long. A call that waits
 * leaves when its signal aborts.
 */
export class KeyTurns {
  readonly #maxWaiting: number;
  readonly #held = new Map<string, Set<Waiting>>();
  #waiting = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Runs `use` while nobody else has the key. `timeoutMs` is for the wait. */
  async take<T>(key: string, { signal, timeoutMs }: WaitLimits, use: () => Promise<T>): Promise<T> {
    const queue = this.#held.get(key);
    if (queue === undefined) this.#held.set(key, new Set());
    else await this.#wait(queue, { signal, timeoutMs });
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

  #wait(queue: Set<Waiting>, { signal, timeoutMs }: WaitLimits): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting >= this.#maxWaiting) throw new GateRefusal('full');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting -= 1;
      queue.delete(waiting);
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const refuse = (reason: unknown): void => {
      leave();
      reject(reason);
    };
    const onAbort = (): void => refuse(signal.reason);
    const waiting: Waiting = {
      admit: () => {
        leave();
        resolve();
      },
    };
    const timer = setTimeout(() => refuse(new GateRefusal('timeout')), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting += 1;
    queue.add(waiting);
    return promise;
  }
}
