import { connect, type Socket } from 'node:net';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import type { ClientFrame, ServerFrame } from '@messenger/protocol/frames';

const upgrade =
  `GET ${socketPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`;

/** Masked with zeros, which changes nothing. */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

export interface RawSocketEvents {
  readonly onFrame: (frame: ServerFrame) => void;
  /** Once, when the connection is closed, by whichever side. */
  readonly onClose: () => void;
}

/** A client of a socket that costs little CPU: no library, and only what a server of ours sends. */
export class RawSocket {
  readonly #net: Socket;
  readonly #events: RawSocketEvents;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(net: Socket, events: RawSocketEvents) {
    this.#net = net;
    this.#events = events;
  }

  /** Resolves after the upgrade. Rejects if it is refused, or the connection fails. */
  static async open(port: number, events: RawSocketEvents): Promise<RawSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<RawSocket>();
    const net = connect({ port, host: '127.0.0.1', noDelay: true });
    net.on('error', reject);
    net.on('close', () => reject(new Error('the connection was closed')));
    net.write(upgrade);
    net.once('data', (bytes: Buffer) => {
      const end = bytes.indexOf('\r\n\r\n') + 4;
      const status = bytes.toString('latin1', 9, 12);
      if (status !== '101' || end < 4) return void net.destroy(new Error(`the upgrade was answered ${status}`));
      const socket = new RawSocket(net, events);
      net.on('data', (more: Buffer) => socket.#read(more));
      net.on('close', () => events.onClose());
      resolve(socket);
      if (end < bytes.length) socket.#read(bytes.subarray(end));
    });
    return await promise;
  }

  say(frame: ClientFrame): void {
    const text = Buffer.from(JSON.stringify(frame));
    const size = text.length < 126 ? [0x80 | text.length] : [0xfe, text.length >> 8, text.length & 0xff];
    this.#net.write(Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), text]));
  }

  close(): void {
    this.#net.destroy();
  }

  #read(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (let next = frameOf(rest); next !== undefined; next = frameOf(rest)) {
      rest = rest.subarray(next.end);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of our server.
      if (next.code === 1) this.#events.onFrame(JSON.parse(next.payload.toString()) as ServerFrame);
      else if (next.code === 9) this.#net.write(pong);
    }
    this.#rest = rest;
  }
}

/** The first frame of these bytes, if it is whole. Servers do not mask. */
function frameOf(bytes: Buffer) {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1);
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = start + size;
  return bytes.length < end ? undefined : { code: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, end), end };
}
