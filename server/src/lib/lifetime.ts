type Listener = (() => void) | { handleEvent(): void };

/**
 * What a call watches while it waits: it aborts once, with a reason, when the answer is not needed any more. The part of an
 * `AbortSignal` that calls use, so that any signal is one.
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
 * A lifetime that costs little: an `AbortController` with one listener takes 1 to 2 µs of each request
 * (docs/decisions/0040-cost-of-a-request.md). Listeners are called in the order in which they were added.
 */
export class LightLifetime implements Lifetime {
  aborted = false;
  reason: unknown = undefined;
  /** Most requests have one at a time. */
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

  /** Calls the listeners. Only the first call does something. */
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
