import { setTimeout as sleep } from 'node:timers/promises';

import { withDeadline } from '../lib/with-deadline.ts';
import type { Connections } from './connections.ts';
import type { Listeners } from './listeners.ts';
import type { HttpServer } from './server.ts';

export interface DrainOptions {
  /** How long requests are still accepted while readiness is already false. */
  readonly delayMs: number;
  /**
   * Reports that our listeners are closed. Resolves when those of the other workers are closed: a client that reconnects must not reach a
   * listener that is about to close, because the kernel resets its queue.
   */
  readonly othersClosed: () => Promise<void>;
  /** The maximum wait for that. */
  readonly settleMs: number;
  /** How long silent connections stay open for a request in transit. */
  readonly lingerMs: number;
  /** Whether a successor has our listeners: then clients can stay, and no queue is lost. */
  readonly isReplaced: boolean;
  /** Begins to close the upgraded connections, which have no next answer. */
  readonly endUpgraded?: (() => void) | undefined;
}

/** The graceful stop of a server. */
export class Drain {
  #draining = false;
  #turnsAway = false;
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** Whether the drain has started: endless responses must end now. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether `/readyz` must be 503, so that load balancers use another instance. */
  get turnsAway(): boolean {
    return this.#turnsAway;
  }

  /**
   * Stops without failing a request: readiness becomes false, then the listeners close, then (when those of the other workers are closed)
   * each connection closes with its next answer, silent ones after a delay, and upgraded ones by `endUpgraded`. With a successor, readiness
   * stays true, and connections close with their next answer from the start. Resolves when every request is answered and every upgraded
   * connection closed, or when the signal aborts, which closes the other connections.
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
    options.endUpgraded?.();
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
