import type { WorkerChild } from './worker-child.ts';

/**
 * The listening sockets of the server: the first worker that accepts connections creates them, and the supervisor keeps a copy of each. So
 * every worker accepts from the same queues, and a connection that waits in one survives the end of any worker. When the last
 * copy of a socket closes, the kernel resets the connections in its queue.
 */
export class ListeningSockets {
  readonly #handles: unknown[] = [];
  /** While a worker creates them; the others wait, so that there is only one set. */
  #creating: Promise<void> | undefined;

  add(handle: unknown): void {
    if (handle !== undefined && handle !== null) this.#handles.push(handle); // Undefined if it was closed in transit.
  }

  /** Resolves when the worker accepts connections; rejects when it ends before. */
  async give(worker: Pick<WorkerChild<never>, 'accept'>): Promise<void> {
    const { promise: accepting, resolve } = Promise.withResolvers<void>();
    const take = async (): Promise<readonly unknown[]> => {
      while (this.#creating !== undefined) await this.#creating;
      if (this.#handles.length === 0) this.#creating = accepting.finally(() => (this.#creating = undefined));
      return this.#handles;
    };
    await worker.accept(take).finally(resolve);
  }

  close(): void {
    for (const handle of this.#handles.splice(0)) closeHandle(handle);
  }
}

function closeHandle(handle: unknown): void {
  if (isHandle(handle)) handle.close();
}

function isHandle(handle: unknown): handle is { close(): void } {
  return typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function';
}
