import { Server as NetServer } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

import type { HttpServer } from './server.ts';

export interface DrainOptions {
  /** How long requests are still taken, while readiness already says no. */
  readonly delayMs: number;
  /** How long connections that are open but silent may still bring a request that was on its way. */
  readonly lingerMs: number;
}

/** Whether the server is on its way down; answers then close their connections. */
export class Drain {
  #draining = false;

  constructor(app: HttpServer) {
    app.addHook('onSend', async (_request, reply) => {
      if (this.#draining) reply.header('connection', 'close');
    });
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Stops taking requests without failing one: readiness says no, then the listener closes, then each connection
   * closes with its next answer; silent ones are closed after a while. Resolves when every request is answered, or
   * when the signal aborts, which cuts the rest.
   */
  async run(app: HttpServer, options: DrainOptions, signal: AbortSignal): Promise<void> {
    this.#draining = true;
    if (options.delayMs > 0) await sleep(options.delayMs, undefined, { signal }).catch(() => undefined);
    await nextTurn(); // After the poll that accepted whatever waited in the listener's queue: what is in it at its end is reset.
    const closed = stopListening(app.server);
    const cut = (): void => app.server.closeAllConnections();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    const lingering = setTimeout(() => app.server.closeIdleConnections(), options.lingerMs);
    await closed;
    clearTimeout(lingering);
    signal.removeEventListener('abort', cut);
    await app.close();
  }
}

/** Resolves when the last connection is closed. `http.Server.close` would cut silent connections at once. */
async function stopListening(server: NetServer): Promise<void> {
  if (!server.listening) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  NetServer.prototype.close.call(server, () => resolve());
  await promise;
}
