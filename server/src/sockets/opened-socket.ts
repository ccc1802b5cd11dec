import type net from 'node:net';

import { closeCodes, type CloseCode } from '@messenger/protocol/close-codes';
import { WebSocket } from 'ws';

import { Frame } from './frame.ts';
import type { Outbox } from './outbox.ts';
import { parseFrame } from './parse-frame.ts';
import { socketLimits } from './socket-limits.ts';
import type * as sockets from './socket.ts';

declare module 'net' {
  interface Socket {
    /** Of a connection that speaks WebSocket. */
    opened?: OpenedSocket | undefined;
  }
}

/** What `ws` creates for a socket. Its listeners find our object here, so that they need no closure for each socket. */
export class Wire extends WebSocket {
  opened: OpenedSocket | undefined = undefined;
}

/** Why a socket has ended: our code, or `client` when the client closed it, `lost` without a close frame, `protocol` for a violation of RFC 6455. */
export type EndReason = CloseCode | 'client' | 'lost' | 'protocol';

/** What sockets need from their engine. */
export interface SocketServices {
  readonly outbox: Outbox;
  /** Milliseconds after which a client should come back. */
  readonly afterMs: () => number;
  readonly belongsTo: (socket: OpenedSocket, userId: string) => void;
  readonly received: (bytes: number) => void;
  readonly fellBehind: () => void;
  /** It sends and receives no more. */
  readonly ended: (socket: OpenedSocket, reason: EndReason) => void;
}

/** What is known of a socket when it opens. */
export interface Opening {
  readonly id: string;
  readonly address: string;
  readonly sessionToken: string | undefined;
  readonly userAgent: string | undefined;
}

/** An open socket. Memory counts: tens of thousands are idle. */
export class OpenedSocket implements sockets.Socket {
  readonly id: string;
  readonly address: string;
  readonly sessionToken: string | undefined;
  readonly userAgent: string | undefined;
  readonly #wire: Wire;
  readonly #net: net.Socket;
  readonly #services: SocketServices;
  handler: sockets.SocketHandler | undefined = undefined;
  /** The account that it is counted for. */
  userId: string | undefined = undefined;
  /** Frames of this event-loop turn. */
  pending: Buffer[] = [];
  #pendingBytes = 0;
  #isBehind = false;
  #isEnded = false;
  hasSpoken = false;

  constructor(
    { id, address, sessionToken, userAgent }: Opening,
    wire: Wire,
    connection: net.Socket,
    services: SocketServices,
  ) {
    this.id = id;
    this.address = address;
    this.sessionToken = sessionToken;
    this.userAgent = userAgent;
    this.#wire = wire;
    this.#net = connection;
    this.#services = services;
    wire.opened = this;
    connection.opened = this;
    wire.on('message', onMessage);
    wire.on('ping', onPing);
    wire.on('close', onClose);
    wire.on('error', ignore); // A violation of the protocol: `ws` closes the socket, and `close` has the code.
    connection.on('drain', onDrain);
  }

  get unsentBytes(): number {
    return this.#pendingBytes + this.#net.writableLength;
  }

  send(frame: Frame, kind: sockets.FrameKind): 'sent' | 'behind' | 'closed' {
    if (this.#isEnded) return 'closed';
    if (this.unsentBytes > (kind === 'answer' ? socketLimits.answersBytes : socketLimits.behindBytes))
      return this.#refuse(kind);
    this.#put(frame.bytes);
    return 'sent';
  }

  end(code: CloseCode, afterMs?: number): void {
    if (this.#isEnded) return;
    const number = closeCodes[code].code;
    const after = number < 4500 ? { after_ms: Math.round(afterMs ?? this.#services.afterMs()) } : {};
    this.#put(new Frame({ op: 'bye', code: number, ...after }).bytes);
    this.flush();
    this.#finish(code);
    this.#wire.close(number, JSON.stringify({ reason: code, ...after }));
  }

  belongsTo(userId: string): void {
    this.#services.belongsTo(this, userId);
  }

  /** Writes the frames of this turn with one system call. */
  flush(): void {
    const { pending } = this;
    this.pending = [];
    this.#pendingBytes = 0;
    if (this.#net.destroyed) return;
    if (pending.length > 1) this.#net.cork();
    for (const bytes of pending) this.#net.write(bytes);
    if (pending.length > 1) this.#net.uncork();
  }

  message(data: Buffer, isBinary: boolean): void {
    if (this.#isEnded) return;
    this.hasSpoken = true;
    this.#services.received(data.length);
    const frame = isBinary ? 'not_text' : parseFrame(data.toString());
    if (typeof frame === 'string') this.end(frame);
    else this.handler?.onFrame(frame, data.length);
  }

  ping(data: Buffer): void {
    if (!this.#isEnded && this.unsentBytes <= socketLimits.behindBytes) this.#wire.pong(data);
  }

  drained(): void {
    if (!this.#isBehind || this.#isEnded) return;
    this.#isBehind = false;
    this.handler?.onDrained();
  }

  closed(code: number): void {
    this.#finish(code === 1006 ? 'lost' : [1002, 1007, 1008, 1009].includes(code) ? 'protocol' : 'client');
    this.handler?.onClose();
    this.handler = undefined;
  }

  #refuse(kind: sockets.FrameKind): 'behind' | 'closed' {
    if (kind === 'answer') {
      this.end('slow_reader');
      return 'closed';
    }
    if (!this.#isBehind) this.#services.fellBehind();
    this.#isBehind = true;
    return 'behind';
  }

  #put(bytes: Buffer): void {
    if (this.pending.push(bytes) === 1) this.#services.outbox.add(this);
    this.#pendingBytes += bytes.length;
  }

  #finish(reason: EndReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#services.ended(this, reason);
  }
}

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  if (this instanceof Wire && Buffer.isBuffer(data)) this.opened?.message(data, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  if (this instanceof Wire) this.opened?.ping(data);
}

function onClose(this: WebSocket, code: number): void {
  if (this instanceof Wire) this.opened?.closed(code);
}

function onDrain(this: net.Socket): void {
  this.opened?.drained();
}

function ignore(): void {
  // Handled elsewhere.
}
