import type { WorkerMessage } from './messages.ts';

interface Channel {
  send(message: WorkerMessage, handle?: unknown): void;
}

/** The successor's side: it receives its predecessor's listeners. */
export interface Inheritance {
  /** Requests the listeners. Resolves when all have arrived. */
  take(): Promise<readonly unknown[]>;
  add(handle: unknown): void;
  end(): void;
}

/**
 * A worker sends its listening sockets to its successor, which then accepts from the same queues. If the last listener
 * of a queue closed, the kernel would reset the connections in it. See docs/decisions/0028-reload.md.
 */
export function createInheritance(channel: Channel): Inheritance {
  const handles: unknown[] = [];
  const { promise: given, resolve } = Promise.withResolvers<readonly unknown[]>();
  return {
    take: async () => {
      channel.send({ type: 'take listeners' });
      return await given;
    },
    add: (handle) => {
      if (handle !== undefined && handle !== null) handles.push(handle); // Undefined if it was closed in transit.
    },
    end: () => resolve(handles),
  };
}

/** The predecessor's side. It continues to accept until it drains. */
export function giveListeners(channel: Channel, listeners: readonly unknown[]): void {
  for (const handle of listeners) channel.send({ type: 'listener' }, handle);
  channel.send({ type: 'listeners given' });
}
