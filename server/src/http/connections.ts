import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { monotonicClock, type Clock } from '../lib/clock.ts';
import { isLoopback } from '../lib/loopback.ts';
import { clientNetwork } from './client-address.ts';
import { Connection, ConnectionList } from './connection-list.ts';

export interface ConnectionLimits {
  readonly total: number;
  /** Per client address, except addresses of this machine; 0 is no limit. */
  readonly perAddress: number;
}

/** Why the server closed a usable connection. */
export const shedReasons = ['full', 'address_limit', 'silent', 'idle', 'slow_body', 'accept_failed'] as const;
export type ShedReason = (typeof shedReasons)[number];

/** Time for a request to arrive, from the connection or from its headers. */
const arrivalMs = 1_000;

/** When slow bodies fill a worker, they are most of the longest active connections. */
const mostLookedAt = 16;

/** A client that sends its next request within this time after an answer is limited by our latency. */
const eagerMs = 10;

/** Requests over which `eagerShare` is averaged. */
const eagerOver = 64;

export interface ConnectionsOptions extends ConnectionLimits {
  /** Called for each closed connection; `address` is the client's, if known. */
  readonly onShed?: ((reason: ShedReason, address: string | undefined) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * The client connections of one process, with eviction at the limit. A new connection replaces the longest silent one, in this order: no
 * request within a second, a body that takes longer than a second, newly connected, idle after an answer, any incomplete body. A connection
 * with a complete request in flight, or with another protocol, is never evicted; if all have, the new connection is closed. Constant time, without timers.
 */
export class Connections {
  readonly limits: ConnectionLimits;
  readonly #onShed: ConnectionsOptions['onShed'];
  readonly #clock: Clock;
  /** Connections without a complete request so far. */
  readonly #silent = new ConnectionList();
  /** Idle connections after an answer. */
  readonly #idle = new ConnectionList();
  /** Connections with a request in flight. */
  readonly #active = new ConnectionList();
  /** Connections that have changed their protocol; never evicted. */
  readonly #upgraded = new ConnectionList();
  readonly #perAddress = new Map<string, number>();
  /** Whether each connection closes with its next answer. */
  areClosing = false;
  /** How many connections close with their next answer, so that their clients reach another process. */
  #leftToMove = 0;
  readonly #emptied: (() => void)[] = [];
  #eagerShare = 1;
  #open = 0;
  /** Since the start. */
  readonly shed: Record<ShedReason, number> = {
    full: 0,
    address_limit: 0,
    silent: 0,
    idle: 0,
    slow_body: 0,
    accept_failed: 0,
  };

  /** One listener for all connections, to avoid a closure for each. */
  readonly #onClose: (this: Socket) => void;

  constructor({ onShed, clock = monotonicClock, ...limits }: ConnectionsOptions) {
    this.#clock = clock;
    this.limits = limits;
    this.#onShed = onShed;
    const leave = (connection: Connection): void => this.#leave(connection);
    this.#onClose = function () {
      if (this.connection !== undefined) leave(this.connection);
    };
  }

  /** The fraction of recent requests that arrived right after an answer on the same connection. */
  get eagerShare(): number {
    return this.#eagerShare;
  }

  get counts(): Readonly<Record<'active' | 'idle' | 'silent' | 'upgraded', number>> {
    const [idle, silent, upgraded] = [this.#idle.length, this.#silent.length, this.#upgraded.length];
    return { active: this.#open - idle - silent - upgraded, idle, silent, upgraded };
  }

  get open(): number {
    return this.#open;
  }

  /** Resolves when none is open. */
  async empty(): Promise<void> {
    if (this.#open === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied.push(resolve);
    await promise;
  }

  /** Closes this many connections, each with its next answer. */
  move(connections: number): void {
    this.#leftToMove = connections;
  }

  /** Call it once per answer: whether its connection closes with it. Not while requests behind it on the connection wait for theirs. */
  closesWith({ req: { socket } }: ServerResponse): boolean {
    if ((socket.connection?.inFlight ?? 0) > 1) return false;
    if (this.areClosing) return true;
    if (this.#leftToMove === 0) return false;
    this.#leftToMove -= 1;
    return true;
  }

  /** Whether a new connection may stay. If not, it is closed. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    const { total, perAddress } = this.limits;
    const isCounted = perAddress > 0 && remoteAddress !== undefined && !isLoopback(remoteAddress);
    const address = isCounted ? clientNetwork(remoteAddress) : undefined;
    const ofAddress = address === undefined ? 0 : (this.#perAddress.get(address) ?? 0);
    if (address !== undefined && ofAddress >= perAddress) return this.#refuse(socket, 'address_limit');
    if (this.#open >= total && !this.#makeRoom()) return this.#refuse(socket, 'full');
    if (address !== undefined) this.#perAddress.set(address, ofAddress + 1);
    this.#enter(new Connection(socket, address, this.#clock.now()));
    return true;
  }

  /** Records the headers of a request. Returns the number of requests in flight on its connection. */
  began(response: ServerResponse): number {
    const { connection } = response.req.socket;
    if (connection === undefined) return 1;
    if (connection.list !== this.#active) {
      const now = this.#clock.now();
      const isEager = connection.list === this.#idle && now - connection.sinceMs < eagerMs;
      this.#eagerShare += ((isEager ? 1 : 0) - this.#eagerShare) / eagerOver;
      connection.list?.remove(connection);
      connection.sinceMs = now;
      this.#active.add(connection);
    }
    connection.newestAnswer = response;
    return (connection.inFlight += 1);
  }

  /** Records the end of its answer. */
  ended(response: ServerResponse): void {
    const { socket } = response.req;
    const { connection } = socket;
    if (connection === undefined) return;
    connection.inFlight -= 1;
    if (connection.inFlight > 0) return;
    connection.newestAnswer = undefined;
    connection.list?.remove(connection);
    if (socket.destroyed) return;
    connection.sinceMs = this.#clock.now();
    this.#idle.add(connection);
  }

  /** Records that its connection now speaks another protocol. */
  upgraded({ req: { socket } }: ServerResponse): void {
    const { connection } = socket;
    if (connection === undefined) return;
    connection.inFlight = 0;
    connection.newestAnswer = undefined;
    connection.list?.remove(connection);
    this.#upgraded.add(connection);
  }

  /** Records that the system refused a connection. */
  acceptFailed(): void {
    this.#tell('accept_failed', undefined);
  }

  /** Ends every connection at once, including upgraded ones, which `http.Server.closeAllConnections` ignores. */
  cut(): void {
    for (const list of [this.#silent, this.#idle, this.#active, this.#upgraded])
      for (let one = list.first; one !== undefined; one = one.next) one.socket.destroy();
  }

  #enter(connection: Connection): void {
    const { socket } = connection;
    socket.connection = connection;
    this.#open += 1;
    this.#silent.add(connection);
    socket.on('close', this.#onClose);
  }

  /** Called once: at the end of the connection, or when it is evicted. */
  #leave(connection: Connection): void {
    const { socket, address } = connection;
    if (socket.connection === undefined) return;
    socket.connection = undefined;
    connection.list?.remove(connection);
    this.#open -= 1;
    if (this.#open === 0) for (const resolve of this.#emptied.splice(0)) resolve();
    const left = address === undefined ? 0 : (this.#perAddress.get(address) ?? 1) - 1;
    if (address !== undefined && left === 0) this.#perAddress.delete(address);
    else if (address !== undefined) this.#perAddress.set(address, left);
  }

  #makeRoom(): boolean {
    const { first: silent } = this.#silent;
    if (silent !== undefined && this.#isLate(silent)) return this.#close(silent, 'silent');
    const sender = this.#findSender();
    if (sender !== undefined && this.#isLate(sender)) return this.#close(sender, 'slow_body');
    if (silent !== undefined) return this.#close(silent, 'silent');
    const { first: idle } = this.#idle;
    if (idle !== undefined) return this.#close(idle, 'idle');
    return sender !== undefined && this.#close(sender, 'slow_body');
  }

  #isLate({ sinceMs }: Connection): boolean {
    return this.#clock.now() - sinceMs > arrivalMs;
  }

  /** The first of the longest active ones with an incomplete request, for which no work was done yet. */
  #findSender(): Connection | undefined {
    let one = this.#active.first;
    for (let count = 0; count < mostLookedAt && one !== undefined; count += 1, one = one.next)
      if (one.inFlight === 1 && one.newestAnswer?.req.complete === false) return one;
    return undefined;
  }

  #close(connection: Connection, reason: ShedReason): true {
    this.#tell(reason, connection.socket.remoteAddress);
    this.#leave(connection);
    connection.socket.destroy();
    return true;
  }

  #refuse(socket: Socket, reason: ShedReason): false {
    this.#tell(reason, socket.remoteAddress);
    socket.destroy();
    return false;
  }

  #tell(reason: ShedReason, address: string | undefined): void {
    this.shed[reason] += 1;
    this.#onShed?.(reason, address);
  }
}
