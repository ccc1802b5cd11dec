import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';

import { readFrames } from './frames.ts';
import type { Hub } from './hub.ts';
import type { FromWorker } from './wire.ts';

/** The Unix socket of the feed. Its folder is private, so only our workers connect. */
export class FeedServer {
  readonly #hub: Hub;
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(hub: Hub, path: string) {
    this.#hub = hub;
    this.#path = path;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Resolves when it listens; replaces the socket of a killed feed. */
  async start(): Promise<void> {
    await rm(this.#path, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.#path, resolve);
    await promise;
    this.#server.off('error', reject);
    this.#server.on('error', () => undefined); // A connection that failed is made again by its worker.
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #accept(socket: Socket): void {
    const follower = this.#hub.add(socket);
    this.#sockets.add(socket);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Both ends run the same code.
    readFrames(socket, (content) => this.#hub.hear(follower, content as FromWorker));
    socket.on('error', () => undefined); // A worker that died.
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#hub.remove(follower);
    });
  }
}
