import type { SupervisorMessage, WorkerMessage } from './messages.ts';
import type { Served } from './worker-process.ts';

interface Options {
  readonly channel: { send(message: WorkerMessage, handle?: unknown): void };
  readonly served: () => Served | undefined;
  readonly onFailed: (error: unknown) => void;
}

/** A worker's side of `ListeningSockets`: it receives sockets and accepts connections on them, or creates them and sends them. */
export function followAcceptOrders({
  channel,
  served,
  onFailed,
}: Options): (message: SupervisorMessage<unknown>, handle?: unknown) => void {
  let sockets: unknown[] = [];

  const accept = async (count: number): Promise<void> => {
    const given = sockets;
    sockets = [];
    if (given.length < count) throw new Error(`${count - given.length} of ${count} listening sockets did not arrive`);
    for (const handle of (await served()?.accept(given)) ?? []) channel.send({ type: 'listener' }, handle);
    channel.send({ type: 'accepting' });
  };

  return (message, handle) => {
    if (message.type === 'listener' && handle !== undefined && handle !== null) sockets.push(handle); // Undefined if it was closed in transit.
    if (message.type === 'accept') accept(message.sockets).catch(onFailed);
    if (message.type === 'rest') served()?.rest();
    if (message.type === 'shed') served()?.shed(message.connections);
  };
}
