import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket as Connection } from 'node:net';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import { WebSocket } from 'ws';

import type { HttpOptions, HttpServer } from '../src/http/server.ts';
import { createSessionCookies } from '../src/http/session-cookie.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import type { Socket } from '../src/sockets/socket.ts';
import { socketRoute } from '../src/sockets/socket-route.ts';
import { Sockets, type SocketsOptions } from '../src/sockets/sockets.ts';
import { createTestServer, listen } from './http-server.ts';
import { waitFor } from './wait-for.ts';

/** A socket as its owner sees it, with everything that the owner was told. */
export interface Owned {
  readonly socket: Socket;
  readonly frames: object[];
  drained: number;
  closed: number;
}

/** A server with sockets whose owner only takes notes. */
export class SocketServer {
  readonly sockets: Sockets;
  readonly owned: Owned[] = [];
  /** What owners have thrown. */
  readonly defects: unknown[] = [];
  /** Called with every frame. */
  onFrame: (frame: object, socket: Socket) => void = () => undefined;
  readonly #app: HttpServer;
  readonly #clients: (WebSocket | Connection)[] = [];
  #port = 0;

  private constructor(app: HttpServer, options: Partial<SocketsOptions>) {
    this.#app = app;
    this.sockets = new Sockets({
      perAccount: 0,
      perAddress: 0,
      clock: monotonicClock,
      random: Math.random,
      onDefect: (error) => this.defects.push(error),
      ...options,
    });
    socketRoute(app, {
      sockets: this.sockets,
      cookies: createSessionCookies({ isSecure: false, maxAgeDays: 1 }),
      open: (socket) => {
        const owned: Owned = { socket, frames: [], drained: 0, closed: 0 };
        this.owned.push(owned);
        return {
          onFrame: (frame) => {
            owned.frames.push(frame);
            this.onFrame(frame, socket);
          },
          onDrained: () => (owned.drained += 1),
          onClose: () => (owned.closed += 1),
        };
      },
    });
  }

  static async start(
    options: Partial<SocketsOptions> & { readonly http?: Partial<HttpOptions> } = {},
  ): Promise<SocketServer> {
    const { http, ...ofSockets } = options;
    const server = new SocketServer(await createTestServer(http), ofSockets);
    server.#port = await listen(server.#app);
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** Of the socket that was opened last. */
  get newest(): Owned {
    return this.owned.at(-1) ?? assert.fail('no socket was opened');
  }

  /** A client that speaks WebSocket. */
  async connect(headers: Readonly<Record<string, string>> = {}): Promise<Client> {
    const client = new Client(this.begin(headers));
    await once(client.wire, 'open');
    return client;
  }

  /** An upgrade whose end is not waited for. */
  begin(headers: Readonly<Record<string, string>> = {}): WebSocket {
    const wire = new WebSocket(`ws://127.0.0.1:${this.port}${socketPath}`, subprotocol, { headers });
    wire.on('error', () => undefined);
    this.#clients.push(wire);
    return wire;
  }

  /** The status of a refused upgrade. */
  async refusal(headers: Readonly<Record<string, string>>): Promise<number | undefined> {
    let status: number | undefined;
    this.begin(headers).on('unexpected-response', (request, answer) => {
      status = answer.statusCode;
      request.destroy();
    });
    await waitFor('the refusal', () => status !== undefined);
    return status;
  }

  /** A client that sends any bytes, after the upgrade. */
  async connectRaw(): Promise<RawClient> {
    const client = new RawClient(connect(this.port, '127.0.0.1'));
    this.#clients.push(client.connection);
    client.connection.write(
      `GET ${socketPath} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    );
    await waitFor('the upgrade', () => client.takeHead());
    return client;
  }

  async stop(): Promise<void> {
    for (const one of this.#clients)
      if (one instanceof WebSocket) one.terminate();
      else one.destroy();
    await waitFor('the ends', () => this.sockets.figures.open === 0);
    this.#app.server.closeAllConnections();
    await this.#app.close();
    assert.deepEqual(this.defects, []);
  }
}

/** A client that speaks WebSocket, with everything that it has received. */
export class Client {
  readonly wire: WebSocket;
  readonly frames: unknown[] = [];
  closeCode: number | undefined;
  closeReason = '';

  constructor(wire: WebSocket) {
    this.wire = wire;
    wire.on('message', (data) => {
      assert(Buffer.isBuffer(data));
      this.frames.push(JSON.parse(data.toString()));
    });
    wire.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
    });
  }

  send(frame: object): void {
    this.wire.send(JSON.stringify(frame));
  }

  async closed(): Promise<number | undefined> {
    await waitFor('the end of the socket', () => this.closeCode !== undefined);
    return this.closeCode;
  }
}

/** A frame of the server. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A client that sends any bytes. */
export class RawClient {
  readonly connection: Connection;
  received: Buffer = Buffer.alloc(0);

  constructor(connection: Connection) {
    this.connection = connection;
    connection.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    connection.on('error', () => undefined);
  }

  /** Whether the head of the answer has arrived; removes it. */
  takeHead(): boolean {
    const end = this.received.indexOf('\r\n\r\n');
    if (end === -1) return false;
    assert.match(this.received.toString('latin1'), /^HTTP\/1\.1 101 /u);
    this.received = this.received.subarray(end + 4);
    return true;
  }

  /** All whole frames that have arrived. */
  get frames(): RawFrame[] {
    const frames: RawFrame[] = [];
    for (let at = 0; at + 2 <= this.received.length;) {
      const [first = 0, size = 0] = this.received.subarray(at, at + 2);
      assert(size <= 126, 'a masked or very large frame of the server');
      const length = size === 126 ? this.received.readUInt16BE(at + 2) : size;
      const begin = at + (size === 126 ? 4 : 2);
      if (begin + length > this.received.length) break;
      frames.push({ opcode: first & 0x0f, payload: this.received.subarray(begin, begin + length) });
      at = begin + length;
    }
    return frames;
  }

  /** The code of the close frame; 1005 without one in it, 1006 if the connection ended without a close frame. */
  async closed(): Promise<number> {
    const find = (): RawFrame | undefined => this.frames.find(({ opcode }) => opcode === 8);
    await waitFor('the end', () => find() !== undefined || this.connection.destroyed);
    const frame = find();
    if (frame === undefined) return 1006;
    return frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
  }
}

/** A masked frame of a client (RFC 6455, 5.2). */
export function maskedFrame(
  payload: Buffer | string,
  {
    opcode = 1,
    fin = true,
    reserved = 0,
    masked = true,
  }: Readonly<Partial<{ opcode: number; fin: boolean; reserved: number; masked: boolean }>> = {},
): Buffer {
  const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const size =
    data.length < 126
      ? [data.length]
      : data.length < 65_536
        ? [126, data.length >> 8, data.length & 255]
        : [127, 0, 0, 0, 0, 0, data.length >> 16, (data.length >> 8) & 255, data.length & 255];
  const [first = 0, ...rest] = size;
  const mask = masked ? [1, 2, 3, 4] : [];
  const body = masked ? data.map((byte, n) => byte ^ ((n % 4) + 1)) : data;
  return Buffer.from([
    (fin ? 0x80 : 0) | (reserved << 4) | opcode,
    (masked ? 0x80 : 0) | first,
    ...rest,
    ...mask,
    ...body,
  ]);
}
