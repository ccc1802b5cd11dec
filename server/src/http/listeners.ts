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
 * Of each process. Node takes one connection of a listener per turn of its event loop, and the turns of a busy server are long: with a
 * single listener new clients waited for seconds while those who were in had their answers within 40 ms, and no
 * refusal, which needs a connection, could tell them (docs/decisions/0020-listeners.md).
 */
export const listenersPerProcess = 128;

/** Connections that the kernel keeps for each until we accept them; it caps this at `net.core.somaxconn`, usually 4,096. */
const backlog = 4_096;

/** Turns after which the listeners close though connections still come: no queue is that long. */
const mostTurns = backlog;

/**
 * Where the connections of an HTTP server come from: its own listener and, where they can share a port, others that hand over
 * what they accept.
 */
export class Listeners {
  readonly #server: HttpServer;
  readonly #others: Server[] = [];
  readonly #onAcceptFailed: () => void;
  /** Since the start. */
  #taken = 0;

  /** `onAcceptFailed` is called when the system refuses a connection, such as for want of files. */
  constructor(server: HttpServer, onAcceptFailed: () => void) {
    this.#server = server;
    this.#onAcceptFailed = onAcceptFailed;
    server.on('connection', () => {
      this.#taken += 1;
    });
  }

  /**
   * Resolves when connections are taken; rejects as `server.listen` fails, with nothing left open. Takes connections from
   * `inherited` sockets first: handles of a predecessor, which accepts from the same queues.
   */
  async listen({ host, port, reusePort }: ListenOptions, inherited: readonly unknown[] = []): Promise<void> {
    const handles = [...inherited];
    await this.#open(this.#server, { host, port, reusePort }, handles.shift());
    if (!reusePort) return;
    const address = this.#server.address();
    const shared = typeof address === 'object' && address !== null ? address.port : port;
    try {
      while (this.#others.length < listenersPerProcess - 1) {
        const other = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#handOver(socket));
        await this.#open(other, { host, port: shared, reusePort }, handles.shift());
        this.#others.push(other);
      }
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  /** Handles of the sockets, for a successor. Node takes them in `listen` and in `send`, and has no type for them. */
  get handles(): readonly unknown[] {
    const servers: readonly Server[] = [this.#server, ...this.#others];
    return servers.flatMap((server) => ('_handle' in server && server.listening ? [server._handle] : []));
  }

  /** Those that wait in a queue when it closes are reset: this takes them first. */
  async emptyQueues(): Promise<void> {
    for (let turn = 0, before = -1; turn < mostTurns && before !== this.#taken; turn += 1) {
      before = this.#taken;
      await nextTurn();
      await nextTurn();
    }
  }

  /** Takes no more connections. Resolves when the last one is closed; `http.Server.close` would cut silent ones at once. */
  async close(): Promise<void> {
    await Promise.all([this.#server, ...this.#others].map(closed));
  }

  async #open(server: Server, options: ListenOptions, handle: unknown): Promise<void> {
    await listening(server, { ...options, backlog }, handle);
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

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  Server.prototype.close.call(server, () => resolve());
  await promise;
}
