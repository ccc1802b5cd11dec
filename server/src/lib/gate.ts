import type { Lifetime } from './lifetime.ts';

interface Waiting {
  admit(): void;
}

/** Why a gate refused entry. */
export class GateRefusal extends Error {
  readonly reason: 'full' | 'timeout';
  constructor(reason: 'full' | 'timeout') {
    super(reason === 'full' ? 'too many callers are waiting' : 'waited too long');
    this.name = 'GateRefusal';
    this.reason = reason;
  }
}

/**
 * Admits at most `capacity` holders; up to `maxWaiting` more wait in order of arrival. A holder calls `leave` exactly
 * once. A semaphore with a bounded queue.
 */
export class Gate {
  readonly #capacity: number;
  readonly #maxWaiting: number;
  readonly #queue = new Set<Waiting>();
  #inside = 0;

  constructor(capacity: number, maxWaiting: number) {
    this.#capacity = capacity;
    this.#maxWaiting = maxWaiting;
  }

  get inside(): number {
    return this.#inside;
  }

  /** A new entrant would have to wait. */
  get isFull(): boolean {
    return this.#inside >= this.#capacity;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Enters without waiting; false when full. */
  tryEnter(): boolean {
    if (this.isFull) return false;
    this.#inside += 1;
    return true;
  }

  /** Resolves on entry. Rejects with `GateRefusal`, or with the signal's reason if it aborts first. */
  async enter(timeoutMs: number, signal?: Lifetime): Promise<void> {
    signal?.throwIfAborted();
    if (this.tryEnter()) return;
    if (this.#queue.size >= this.#maxWaiting) throw new GateRefusal('full');
    await this.#wait(timeoutMs, signal);
  }

  leave(): void {
    const [next] = this.#queue;
    if (next === undefined) this.#inside -= 1;
    else next.admit();
  }

  #wait(timeoutMs: number, signal?: Lifetime): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (): void => {
      this.#queue.delete(waiting);
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const refuse = (reason: unknown): void => {
      settle();
      reject(reason);
    };
    const onAbort = (): void => refuse(signal?.reason);
    const waiting: Waiting = {
      admit: () => {
        settle();
        resolve();
      },
    };
    const timer = setTimeout(() => refuse(new GateRefusal('timeout')), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.add(waiting);
    return promise;
  }
}
