import type { IncomingMessage } from 'node:http';

import { subprotocol } from '@messenger/protocol/close-codes';
import { WebSocketServer } from 'ws';

import { clientNetwork } from '../http/client-address.ts';
import type { Upgraded } from '../http/upgrade.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { isLoopback } from '../lib/loopback.ts';
import { OpenedSocket, Wire, type Opening, type SocketServices } from './opened-socket.ts';
import { Outbox } from './outbox.ts';
import { Pulse } from './pulse.ts';
import { sendAway } from './send-away.ts';
import { SocketFigures } from './socket-figures.ts';
import { SocketGroups } from './socket-groups.ts';
import { socketLimits } from './socket-limits.ts';
import type { OpenSocket } from './socket.ts';

export interface SocketsOptions {
  /** Maximum per account and per network address of clients, in this process; 0 is no limit. Loopback has none. */
  readonly perAccount: number;
  readonly perAddress: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called with what a socket's owner has thrown. */
  readonly onDefect: (error: unknown) => void;
}

/** Of what is kept of it. */
const userAgentMaxLength = 256;

/** Clients come back within this time, at random. */
const comeBackMs = 2_000;

/** The sockets of one process: their limits and the wire. Their owner gives frames a meaning. */
export class Sockets {
  readonly figures = new SocketFigures();
  readonly #options: SocketsOptions;
  readonly #server: WebSocketServer;
  readonly #open = new Set<OpenedSocket>();
  readonly #byNetwork = new SocketGroups<OpenedSocket>();
  readonly #byAccount = new SocketGroups<OpenedSocket>();
  readonly #pulse: Pulse;
  readonly #services: SocketServices;
  #isDraining = false;
  #count = 0;

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#pulse = new Pulse(options.clock);
    this.#server = createWebSocketServer();
    this.#services = {
      clock: options.clock,
      outbox: new Outbox(),
      figures: this.figures,
      afterMs: () => options.random() * comeBackMs,
      belongsTo: (socket, userId) => this.#belongsTo(socket, userId),
      ended: (socket) => this.#ended(socket),
      failed: options.onDefect,
    };
  }

  /** Throws `not_ready` or `too_many_sockets` if a client of this address cannot have another one. */
  admit(address: string): void {
    if (this.#isDraining) throw new AppError('not_ready', { reason: 'draining' });
    const { perAddress } = this.#options;
    if (perAddress > 0 && !isLoopback(address) && this.#byNetwork.sizeOf(clientNetwork(address)) >= perAddress)
      throw new AppError('too_many_sockets');
  }

  /** Completes an upgrade whose headers are valid. */
  add(request: IncomingMessage, { socket: net, head }: Upgraded, opening: Omit<Opening, 'id'>, open: OpenSocket): void {
    this.#server.handleUpgrade(request, net, head, (wire: unknown) => {
      if (!(wire instanceof Wire)) throw new TypeError('ws has created another class than it was given');
      const id = String((this.#count += 1));
      const socket = new OpenedSocket(keepable(opening, id), wire, net, this.#services);
      this.#open.add(socket);
      this.#byNetwork.add(clientNetwork(socket.address), socket);
      this.figures.open += 1;
      this.#pulse.add(socket);
      socket.openBy(open);
    });
  }

  /** Asks so many clients to connect again, to reach another process. */
  move(count: number): void {
    sendAway([...this.#open].slice(0, count), 'moved');
  }

  /** Sends all sockets away, spread over time, and opens no more. The connections close within `closeMs` after that. */
  drain(): void {
    this.#isDraining = true;
    sendAway([...this.#open], 'draining');
  }

  #belongsTo(socket: OpenedSocket, userId: string): void {
    const { perAccount } = this.#options;
    socket.userId = userId;
    const group = this.#byAccount.add(userId, socket);
    if (perAccount > 0 && group.size > perAccount) longestSilent(group)?.end('too_many_sockets');
  }

  #ended(socket: OpenedSocket): void {
    this.#open.delete(socket);
    this.figures.open -= 1;
    this.#pulse.remove(socket);
    this.#byNetwork.remove(clientNetwork(socket.address), socket);
    if (socket.userId !== undefined) this.#byAccount.remove(socket.userId, socket);
  }
}

/** V8 keeps a header in memory as long as a part of it is referenced: 8 KiB for each socket of a client with many cookies. */
function keepable({ address, sessionToken, userAgent }: Omit<Opening, 'id'>, id: string): Opening {
  return {
    id,
    address: copy(address),
    sessionToken: sessionToken === undefined ? undefined : copy(sessionToken),
    userAgent: userAgent === undefined ? undefined : copy(userAgent.slice(0, userAgentMaxLength)),
  };
}

function copy(text: string): string {
  return Buffer.from(text).toString();
}

/** The first of those that were heard of at the earliest time: groups are in the order of opening. */
function longestSilent(group: ReadonlySet<OpenedSocket>): OpenedSocket | undefined {
  let found: OpenedSocket | undefined;
  for (const one of group) if (found === undefined || one.heardMs < found.heardMs) found = one;
  return found;
}

function createWebSocketServer(): WebSocketServer {
  const { frameBytes, fragments, closeMs } = socketLimits;
  // The types lack `maxFragments` and `closeTimeout`.
  const bounds = { maxPayload: frameBytes, maxFragments: fragments, closeTimeout: closeMs };
  return new WebSocketServer({
    ...bounds,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    WebSocket: Wire,
    handleProtocols: () => subprotocol,
  });
}
