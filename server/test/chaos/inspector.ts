import { withDeadline } from '../../src/lib/with-deadline.ts';

const answerMs = 10_000;

/** Environment of a server whose heaps are to be measured: each process opens an inspector on a free port. */
export const inspectable = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/** The addresses of the processes' inspectors, from stderr. */
export function inspectorsIn(log: string): string[] {
  return [...log.matchAll(/Debugger listening on (ws:\S+)/gu)].map(([, url = '']) => url);
}

/** Bytes in use on a process's heap after a full garbage collection; undefined when it has exited. */
export async function heapAfterCollection(url: string): Promise<number | undefined> {
  const socket = new WebSocket(url);
  try {
    await withDeadline(opened(socket), answerMs);
    await ask(socket, 1, 'HeapProfiler.collectGarbage');
    const usage: unknown = await ask(socket, 2, 'Runtime.getHeapUsage');
    return typeof usage === 'object' && usage !== null && 'usedSize' in usage ? Number(usage.usedSize) : undefined;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

async function opened(socket: WebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener('open', () => resolve(), { once: true });
  socket.addEventListener('error', () => reject(new Error('the inspector is gone')), { once: true });
  await promise;
}

async function ask(socket: WebSocket, id: number, method: string): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const onMessage = ({ data }: MessageEvent): void => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- According to the inspector's protocol.
    const message = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (message.id === id) resolve(message.result);
  };
  socket.addEventListener('message', onMessage);
  socket.send(JSON.stringify({ id, method }));
  return await withDeadline(promise, answerMs).finally(() => socket.removeEventListener('message', onMessage));
}
