import { setTimeout as sleep } from 'node:timers/promises';

import { withDeadline } from '../lib/with-deadline.ts';
import type { Connections } from './connections.ts';
import type { Listeners } from './listeners.ts';
import type { HttpServer } from './server.ts';

export interface DrainOptions {
  /** How long requests are still taken, while readiness already says no. */
  readonly delayMs: number;
  /**
   * Tells that our listeners are closed. Resolves when those of the other workers are: a client whose connection ends must find no
   * listener that is about to close, whose queue the kernel resets.
   */
  readonly othersClosed: () => Promise<void>;
  /** The longest wait for that. */
  readonly settleMs: number;
  /** How long connections that are open but silent may still bring a request that was on its way. */
  readonly lingerMs: number;
  /** A successor has our listeners: no client has to go elsewhere, and no queue is lost. */
  readonly isReplaced: boolean;
}

/** The way down of a server. */
export class Drain {
  #draining = false;
  #turnsAway = false;
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** Whether it has begun: what has no end must end now. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether load balancers have to send clients to another instance. */
  get turnsAway(): boolean {
    return this.#turnsAway;
  }

  /**
   * Stops taking requests without failing one: readiness says no, then the listeners close, then (when those of the other
   * workers have closed, too) each connection closes with its next answer; silent ones are closed after a while. With a
   * successor, readiness stays, and connections close with their next answer at once. Resolves when every request is answered, or when the signal aborts, which cuts the rest.
   */
  async run(app: HttpServer, listeners: Listeners, options: DrainOptions, signal: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#turnsAway = !options.isReplaced;
    if (!options.isReplaced) {
      await pause(options.delayMs, signal);
      await listeners.emptyQueues();
    }
    listeners.close();
    if (!options.isReplaced)
      await withDeadline(options.othersClosed(), options.settleMs, signal).catch(() => undefined);
    this.#connections.areClosing = true;
    const cut = (): void => this.#connections.cut();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    const lingering = setTimeout(() => app.server.closeIdleConnections(), options.lingerMs);
    await this.#connections.empty();
    clearTimeout(lingering);
    signal.removeEventListener('abort', cut);
    await app.close();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}
