import type { WorkerChild } from './worker-child.ts';

/**
 * The listening sockets of the server: the first worker that accepts connections creates them, and the supervisor keeps a copy of each. So
 * every worker accepts from the same queues, and a connection that waits in one survives the end of any worker. When the last
 * copy of a socket closes, the kernel resets the connections in its queue.
 */
export class ListeningSockets {
  readonly #handles: unknown[] = [];
  /** While the first worker creates them. */
  #creating: Promise<void> | undefined;

  add(handle: unknown): void {
    if (handle !== undefined && handle !== null) this.#handles.push(handle); // Undefined if it was closed in transit.
  }

  /** Resolves when the worker accepts connections; rejects when it ends before. */
  async give(worker: Pick<WorkerChild<never>, 'accept'>): Promise<void> {
    while (this.#creating !== undefined) await this.#creating;
    const isFirst = this.#handles.length === 0;
    const accepting = worker.accept(this.#handles);
    if (isFirst) this.#creating = accepting.catch(() => undefined).finally(() => (this.#creating = undefined));
    await accepting;
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
