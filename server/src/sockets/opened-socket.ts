import type net from 'node:net';

import { closeCodes, type CloseCode } from '@messenger/protocol/close-codes';
import { WebSocket } from 'ws';

import type { Clock } from '../lib/clock.ts';
import { Frame } from './frame.ts';
import { FrameRate } from './frame-rate.ts';
import type { Outbox } from './outbox.ts';
import { parseFrame } from './parse-frame.ts';
import type { EndReason, SocketFigures } from './socket-figures.ts';
import { socketLimits } from './socket-limits.ts';
import type * as sockets from './socket.ts';

declare module 'net' {
  interface Socket {
    /** Of a connection that speaks WebSocket. */
    opened?: OpenedSocket | undefined;
  }
}

/** What `ws` creates for a socket. Listeners find our object here, and need no closure for each socket. */
export class Wire extends WebSocket {
  opened: OpenedSocket | undefined = undefined;
}

/** What sockets need from their engine. */
export interface SocketServices {
  readonly clock: Clock;
  readonly outbox: Outbox;
  readonly figures: SocketFigures;
  /** Milliseconds after which a client should come back. */
  readonly afterMs: () => number;
  readonly belongsTo: (socket: OpenedSocket, userId: string) => void;
  /** It sends and receives no more. */
  readonly ended: (socket: OpenedSocket) => void;
  /** The owner of a socket has thrown. */
  readonly failed: (error: unknown) => void;
}

/** What is known of a socket when it opens. */
export interface Opening {
  readonly id: string;
  readonly address: string;
  readonly sessionToken: string | undefined;
  readonly userAgent: string | undefined;
}

/** An unmasked ping without content (RFC 6455, 5.5.2). */
const pingBytes = Buffer.from([0x89, 0]);

/** An open socket. Its memory counts: there are tens of thousands, most of them idle. */
export class OpenedSocket implements sockets.Socket {
  readonly id: string;
  readonly address: string;
  readonly sessionToken: string | undefined;
  readonly userAgent: string | undefined;
  readonly #wire: Wire;
  readonly #net: net.Socket;
  readonly #services: SocketServices;
  readonly #rate: FrameRate;
  readonly #openedMs: number;
  #handler: sockets.SocketHandler | undefined = undefined;
  /** The account that it is counted for. */
  userId: string | undefined = undefined;
  /** When something was last received, or the client has read something; within a few seconds. */
  heardMs: number;
  #pingedMs: number;
  /** At the last check. */
  #bytesRead: number;
  #unsent = 0;
  /** Frames of this event-loop turn. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #hasSpoken = false;
  #isBehind = false;
  #isEnded = false;

  constructor(opening: Opening, wire: Wire, connection: net.Socket, services: SocketServices) {
    this.id = opening.id;
    this.address = opening.address;
    this.sessionToken = opening.sessionToken;
    this.userAgent = opening.userAgent;
    this.#wire = wire;
    this.#net = connection;
    this.#services = services;
    const now = services.clock.now();
    this.#rate = new FrameRate(now);
    this.#openedMs = now;
    this.heardMs = now;
    this.#pingedMs = now;
    this.#bytesRead = connection.bytesRead;
    listen(this, wire, connection);
  }

  /** Call it once, first. */
  openBy(open: sockets.OpenSocket): void {
    this.#guard(() => (this.#handler = open(this)));
  }

  get unsentBytes(): number {
    return this.#pendingBytes + this.#net.writableLength;
  }

  get isBehind(): boolean {
    return this.#isBehind;
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
    const after = number < 4_500 ? { after_ms: Math.round(afterMs ?? this.#services.afterMs()) } : {};
    this.#put(new Frame({ op: 'bye', code: number, ...after }).bytes);
    this.flush();
    this.#finish(code);
    this.#wire.close(number, JSON.stringify({ reason: code, ...after }));
  }

  belongsTo(userId: string): void {
    if (!this.#isEnded) this.#services.belongsTo(this, userId);
  }

  /** Writes the frames of this turn with one system call. */
  flush(): void {
    const pending = this.#pending;
    if (pending.length === 0 || this.#net.destroyed) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    if (pending.length > 1) this.#net.cork();
    for (const bytes of pending) this.#net.write(bytes);
    if (pending.length > 1) this.#net.uncork();
  }

  /** Called every few seconds: pings a silent client, and ends one that stays silent. */
  check(nowMs: number): void {
    const { bytesRead, writableLength } = this.#net;
    if (bytesRead !== this.#bytesRead || writableLength < this.#unsent) this.heardMs = nowMs;
    this.#bytesRead = bytesRead;
    this.#unsent = writableLength;
    if (!this.#hasSpoken && nowMs - this.#openedMs >= socketLimits.firstFrameMs) this.end('first_frame_late');
    else if (nowMs - this.heardMs >= socketLimits.silentMs) this.end('silent');
    else if (nowMs - Math.max(this.heardMs, this.#pingedMs) >= socketLimits.pingMs) this.#ping(nowMs);
  }

  /** A message of the client. */
  message(data: Buffer, isBinary: boolean): void {
    if (this.#isEnded || !this.#admit(data.length)) return;
    this.#hasSpoken = true;
    const frame = isBinary ? 'not_text' : parseFrame(data.toString());
    if (typeof frame === 'string') this.end(frame);
    else this.#guard(() => this.#handler?.onFrame(frame, data.length));
  }

  /** A ping (with its data) or pong of the client. `ws` would answer each ping, and buffer the answers for a client that does not read. */
  control(ping: Buffer | undefined): void {
    if (this.#isEnded || !this.#admit(0) || ping === undefined) return;
    if (this.unsentBytes <= socketLimits.behindBytes) this.#wire.pong(ping);
  }

  /** Everything unsent has been passed to the system. */
  drained(): void {
    if (!this.#isBehind || this.#isEnded) return;
    this.#isBehind = false;
    this.#services.figures.behind -= 1;
    this.#guard(() => this.#handler?.onDrained());
  }

  /** The client has violated RFC 6455 or a limit of `ws`, which closes the socket. */
  violated(): void {
    this.#finish('protocol');
  }

  /** 1006: without a close frame. */
  closed(code: number): void {
    this.#finish(code === 1006 ? 'lost' : 'client');
    const handler = this.#handler;
    this.#handler = undefined;
    this.#guard(() => handler?.onClose());
  }

  /** Counts a frame. Whether it is to be handled. */
  #admit(bytes: number): boolean {
    const { figures, clock } = this.#services;
    figures.framesIn += 1;
    figures.bytesIn += bytes;
    const verdict = this.#rate.take(bytes, clock.now());
    if (verdict === 'fine') return true;
    if (verdict === 'flood') {
      this.end('too_many_frames', socketLimits.floodMs + this.#services.afterMs());
      this.#wire.pause(); // Without parsing more of the flood: the socket closes after `closeMs`.
    } else {
      figures.slowDowns += 1;
      this.send(new Frame({ op: 'slow_down', after_ms: verdict.afterMs }), 'answer');
    }
    return verdict !== 'flood';
  }

  #refuse(kind: sockets.FrameKind): 'behind' | 'closed' {
    if (kind === 'answer') {
      this.end('slow_reader');
      return 'closed';
    }
    if (!this.#isBehind) {
      this.#services.figures.fellBehind += 1;
      this.#services.figures.behind += 1;
    }
    this.#isBehind = true;
    return 'behind';
  }

  #put(bytes: Buffer): void {
    const { figures, outbox } = this.#services;
    if (this.#pending.push(bytes) === 1) outbox.add(this);
    this.#pendingBytes += bytes.length;
    figures.framesOut += 1;
    figures.bytesOut += bytes.length;
  }

  #ping(nowMs: number): void {
    this.#pingedMs = nowMs;
    if (this.#net.writableLength === 0) this.#net.write(pingBytes);
  }

  #finish(reason: EndReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { figures, ended } = this.#services;
    figures.countEnd(reason);
    if (this.#isBehind) figures.behind -= 1;
    ended(this);
  }

  /** A defect of the owner ends this socket, not the process with all others. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#services.failed(error);
      this.end('unavailable');
    }
  }
}

function listen(socket: OpenedSocket, wire: Wire, connection: net.Socket): void {
  wire.opened = socket;
  connection.opened = socket;
  wire.on('message', onMessage);
  wire.on('ping', onPing);
  wire.on('pong', onPong);
  wire.on('close', onClose);
  wire.on('error', onError);
  connection.on('drain', onDrain);
}

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  if (this instanceof Wire && Buffer.isBuffer(data)) this.opened?.message(data, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  if (this instanceof Wire) this.opened?.control(data);
}

function onPong(this: WebSocket): void {
  if (this instanceof Wire) this.opened?.control(undefined);
}

function onClose(this: WebSocket, code: number): void {
  if (this instanceof Wire) this.opened?.closed(code);
}

function onDrain(this: net.Socket): void {
  this.opened?.drained();
}

function onError(this: WebSocket): void {
  if (this instanceof Wire) this.opened?.violated();
}
