import type { ServerResponse } from 'node:http';
import type net from 'node:net';

declare module 'net' {
  interface Socket {
    /** Of a client of the HTTP server, as long as it counts. */
    connection?: Connection | undefined;
  }
}

/** A client connection, and its place in the list that it is in. */
export class Connection {
  readonly socket: net.Socket;
  /** What its limit is counted by; undefined where there is no limit. */
  readonly address: string | undefined;
  /** Since when it has been silent or active. */
  sinceMs: number;
  /** Requests that are not answered yet: more than one when they are pipelined. */
  inFlight = 0;
  /** The answer to the newest of them. A silent connection keeps none, which would keep a list in memory. */
  newestAnswer: ServerResponse | undefined;
  list: ConnectionList | undefined;
  previous: Connection | undefined;
  next: Connection | undefined;

  constructor(socket: net.Socket, address: string | undefined, sinceMs: number) {
    this.socket = socket;
    this.address = address;
    this.sinceMs = sinceMs;
  }
}

/** Connections in the order in which they came here. Adding, removing and finding the first take constant time. */
export class ConnectionList {
  #first: Connection | undefined;
  #last: Connection | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The one that has been here longest. */
  get first(): Connection | undefined {
    return this.#first;
  }

  add(connection: Connection): void {
    connection.list = this;
    connection.previous = this.#last;
    if (this.#last === undefined) this.#first = connection;
    else this.#last.next = connection;
    this.#last = connection;
    this.#length += 1;
  }

  remove(connection: Connection): void {
    const { previous, next } = connection;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    connection.list = undefined;
    connection.previous = undefined;
    connection.next = undefined;
    this.#length -= 1;
  }
}
