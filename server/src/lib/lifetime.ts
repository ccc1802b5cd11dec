type Listener = (() => void) | { handleEvent(): void };

/**
 * Aborts once, with a reason, when the result of a call is no longer needed. A subset of `AbortSignal`, so any signal
 * qualifies.
 */
export interface Lifetime {
  readonly aborted: boolean;
  /** Undefined until it aborts. */
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: Listener, options?: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: Listener): void;
}

/**
 * A cheap lifetime: an `AbortController` with one listener costs 1 to 2 µs per request
 * (docs/decisions/0040-cost-of-a-request.md). Calls listeners in the order of registration.
 */
export class LightLifetime implements Lifetime {
  aborted = false;
  reason: unknown = undefined;
  /** Most requests have only one at a time. */
  #listener: Listener | undefined;
  #others: Set<Listener> | undefined;

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.aborted) return;
    if (this.#listener === undefined) this.#listener = listener;
    else (this.#others ??= new Set()).add(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listener === listener) this.#listener = undefined;
    else this.#others?.delete(listener);
  }

  /** Calls the listeners. Idempotent. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = [this.#listener, ...(this.#others ?? [])];
    this.#listener = undefined;
    this.#others = undefined;
    for (const listener of listeners) {
      if (typeof listener === 'function') listener();
      else listener?.handleEvent();
    }
  }
}
