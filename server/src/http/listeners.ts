import type { Server as HttpServer } from 'node:http';
import { createServer, Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Whether several listeners may share the port, and the kernel spreads connections over them (`SO_REUSEPORT`). */
  readonly reusePort: boolean;
}

/**
 * Node accepts one connection per listener and turn of the event loop, and a busy server's turns are long: with a single listener new
 * clients waited for seconds (docs/decisions/0020-listeners.md).
 */
export const listenersPerProcess = 128;

/** Connections that the kernel keeps for each until we accept them; it caps this at `net.core.somaxconn`, usually 4,096. */
const backlog = 4_096;

/** Turns after which the listeners close although connections still arrive: no queue is that long. */
const mostTurns = backlog;

/** The listeners of an HTTP server: its own and, where several can share a port, others that pass on what they accept. */
export class Listeners {
  readonly #server: HttpServer;
  readonly #others: Server[] = [];
  readonly #onAcceptFailed: () => void;
  /** Since the start. */
  #taken = 0;

  /** `onAcceptFailed` is called when the system refuses a connection, such as for lack of open files. */
  constructor(server: HttpServer, onAcceptFailed: () => void) {
    this.#server = server;
    this.#onAcceptFailed = onAcceptFailed;
    server.on('connection', () => {
      this.#taken += 1;
    });
  }

  /**
   * Resolves when connections are accepted; rejects as `server.listen` does, with nothing left open. With `handles` of sockets
   * that other processes listen on, it accepts from their queues. It can be called again after `close`.
   */
  async listen({ host, port, reusePort }: ListenOptions, handles: readonly unknown[] = []): Promise<void> {
    const [first, ...rest] = handles;
    await this.#open(this.#server, { host, port, reusePort }, first);
    if (!reusePort) return;
    const address = this.#server.address();
    const shared = typeof address === 'object' && address !== null ? address.port : port;
    const others: readonly unknown[] = first === undefined ? Array.from({ length: listenersPerProcess - 1 }) : rest;
    try {
      for (const handle of others) {
        const other = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#handOver(socket));
        await this.#open(other, { host, port: shared, reusePort }, handle);
        this.#others.push(other);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Handles of the sockets, for other processes. Node takes them in `listen` and in `send`, and has no type for them. */
  get handles(): readonly unknown[] {
    const servers: readonly Server[] = [this.#server, ...this.#others];
    return servers.flatMap((server) => ('_handle' in server && server.listening ? [server._handle] : []));
  }

  /** The kernel resets the connections in a queue whose last socket closes: this accepts them first. */
  async emptyQueues(): Promise<void> {
    for (let turn = 0, before = -1; turn < mostTurns && before !== this.#taken; turn += 1) {
      before = this.#taken;
      await nextTurn();
      await nextTurn();
    }
  }

  /** Accepts no more connections. Those that are open stay; `http.Server.close` would cut silent ones. */
  close(): void {
    for (const server of [this.#server, ...this.#others.splice(0)])
      if (server.listening) Server.prototype.close.call(server);
  }

  async #open(server: Server, options: ListenOptions, handle: unknown): Promise<void> {
    await listening(server, { ...options, backlog }, handle);
    server.off('error', this.#onAcceptFailed);
    server.on('error', this.#onAcceptFailed); // Without a listener it would end the process.
  }

  #handOver(socket: Socket): void {
    this.#server.emit('connection', socket);
  }
}

interface QueueOptions extends ListenOptions {
  readonly backlog: number;
}

async function listening(server: Server, options: QueueOptions, handle: unknown): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if (handle === undefined) server.listen(options, resolve);
  else server.listen(handle, options.backlog, resolve);
  await promise;
  server.off('error', reject);
}
