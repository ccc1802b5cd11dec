import type { WorkerMessage } from './messages.ts';

interface Channel {
  send(message: WorkerMessage, handle?: unknown): void;
}

/** A worker's side of the handover: how it takes the listeners of its predecessor. */
export interface Inheritance {
  /** Asks for the listeners. Resolves when all have arrived. */
  take(): Promise<readonly unknown[]>;
  add(handle: unknown): void;
  end(): void;
}

/**
 * Listening sockets go from a worker to its successor, which then accepts from the same queues. A queue whose last listener
 * closes is lost: the kernel resets the connections in it. See docs/decisions/0028-reload.md.
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
      if (handle !== undefined && handle !== null) handles.push(handle); // Else it was closed on its way.
    },
    end: () => resolve(handles),
  };
}

/** The predecessor's side. It goes on accepting until it drains. */
export function giveListeners(channel: Channel, listeners: readonly unknown[]): void {
  for (const handle of listeners) channel.send({ type: 'listener' }, handle);
  channel.send({ type: 'listeners given' });
}
