import type { IncomingMessage } from 'node:http';

import { subprotocol } from '@messenger/protocol/close-codes';
import { WebSocketServer } from 'ws';

import { clientNetwork } from '../http/client-address.ts';
import type { Upgraded } from '../http/upgrade.ts';
import { AppError } from '../lib/app-error.ts';
import { isLoopback } from '../lib/loopback.ts';
import { OpenedSocket, Wire, type EndReason, type Opening } from './opened-socket.ts';
import { Outbox } from './outbox.ts';
import { socketLimits } from './socket-limits.ts';
import type { OpenSocket } from './socket.ts';

export interface SocketsOptions {
  /** Maximum per account and per client network address, in this process; 0 is no limit. Loopback has none. */
  readonly perAccount: number;
  readonly perAddress: number;
  readonly random: () => number;
}

/** Clients come back within this time, at random. */
const comeBackMs = 2_000;

/** The sockets of one process: it knows their limits and the wire, nothing of what they are for. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #server: WebSocketServer;
  readonly #open = new Set<OpenedSocket>();
  readonly #perAddress = new Map<string, number>();
  readonly #perAccount = new Map<string, Set<OpenedSocket>>();
  readonly #outbox = new Outbox();
  #isDraining = false;
  #count = 0;

  constructor(options: SocketsOptions) {
    this.#options = options;
    const bounds = {
      maxPayload: socketLimits.frameBytes,
      maxFragments: socketLimits.fragments,
      closeTimeout: socketLimits.closeMs,
    };
    this.#server = new WebSocketServer({
      ...bounds,
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      WebSocket: Wire,
      handleProtocols: () => subprotocol,
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Throws `not_ready` or `too_many_sockets`. */
  admit(address: string): void {
    if (this.#isDraining) throw new AppError('not_ready', { reason: 'draining' });
    const { perAddress } = this.#options;
    if (perAddress > 0 && !isLoopback(address) && (this.#perAddress.get(clientNetwork(address)) ?? 0) >= perAddress)
      throw new AppError('too_many_sockets');
  }

  /** Completes an upgrade whose headers are valid. */
  add(request: IncomingMessage, { socket: net, head }: Upgraded, opening: Omit<Opening, 'id'>, open: OpenSocket): void {
    this.#server.handleUpgrade(request, net, head, (wire: unknown) => {
      if (!(wire instanceof Wire)) throw new TypeError('ws has created another class than it was given');
      const id = String((this.#count += 1));
      const socket = new OpenedSocket({ ...opening, id }, wire, net, this.#services);
      this.#open.add(socket);
      const network = clientNetwork(opening.address);
      this.#perAddress.set(network, (this.#perAddress.get(network) ?? 0) + 1);
      socket.handler = open(socket);
    });
  }

  readonly #services = {
    outbox: this.#outbox,
    afterMs: (): number => this.#options.random() * comeBackMs,
    belongsTo: (socket: OpenedSocket, userId: string): void => this.#belongsTo(socket, userId),
    received: (): void => undefined,
    fellBehind: (): void => undefined,
    ended: (socket: OpenedSocket, reason: EndReason): void => this.#ended(socket, reason),
  };

  /** Sends all sockets away. Resolves when they are closed. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const socket of this.#open) socket.end('draining');
  }

  #belongsTo(socket: OpenedSocket, userId: string): void {
    socket.userId = userId;
    const others = this.#perAccount.get(userId) ?? new Set();
    this.#perAccount.set(userId, others.add(socket));
    const { perAccount } = this.#options;
    const [oldest] = others;
    if (perAccount > 0 && others.size > perAccount) oldest?.end('too_many_sockets');
  }

  #ended(socket: OpenedSocket, _reason: EndReason): void {
    this.#open.delete(socket);
    const network = clientNetwork(socket.address);
    const left = (this.#perAddress.get(network) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(network);
    else this.#perAddress.set(network, left);
    if (socket.userId === undefined) return;
    const others = this.#perAccount.get(socket.userId);
    others?.delete(socket);
    if (others?.size === 0) this.#perAccount.delete(socket.userId);
  }
}
