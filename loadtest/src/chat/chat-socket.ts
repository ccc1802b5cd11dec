import { isIPv6 } from 'node:net';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import type { ClientFrame, ServerFrame } from '@messenger/protocol/frames';
import { WebSocket } from 'ws';

import type { Address } from '../connection.ts';
import { parseFrame } from './server-frame.ts';

/** Why a socket has ended: its close code, 1006 without one; or the status that refused the upgrade. */
export interface SocketEnd {
  readonly code: number;
  readonly afterMs: number | undefined;
}

/** Nothing is called after `cut`. */
export interface SocketListener {
  onOpen(): void;
  onFrame(frame: ServerFrame): void;
  /** The text is not a frame of the contract. */
  onMalformed(): void;
  onEnd(end: SocketEnd): void;
}

let opened = 0;

/** A socket that can leave like a phone that loses its network. Not the client package: it would heal what the checks must see. */
export class ChatSocket {
  readonly #ws: WebSocket;
  #afterMs: number | undefined;
  #status: number | undefined;
  #isCut = false;

  constructor({ host, port, sources = [] }: Address, hostHeader: string, listener: SocketListener) {
    const localAddress = sources[(opened += 1) % sources.length];
    this.#ws = new WebSocket(`ws://${isIPv6(host) ? `[${host}]` : host}:${port}${socketPath}`, subprotocol, {
      headers: { host: hostHeader },
      perMessageDeflate: false,
      skipUTF8Validation: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#ws.on('open', () => this.#isCut || listener.onOpen());
    this.#ws.on('message', (data: Buffer) => this.#isCut || this.#read(data, listener));
    this.#ws.on('unexpected-response', (request, response) => {
      this.#status = response.statusCode;
      request.destroy();
      this.#ws.terminate();
    });
    this.#ws.on('error', () => undefined); // `close` follows.
    this.#ws.on('close', (code) => {
      if (this.#isCut) return;
      this.#isCut = true;
      listener.onEnd({ code: this.#status ?? code, afterMs: this.#afterMs });
    });
  }

  send(frame: ClientFrame): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame));
  }

  /** Disconnects without a close frame. */
  cut(): void {
    this.#isCut = true;
    this.#ws.terminate();
  }

  /** Neither reads nor disconnects, until `cut`: the server sees nothing of it at first. */
  freeze(): void {
    this.#isCut = true;
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.pause();
  }

  #read(data: Buffer, listener: SocketListener): void {
    const frame = parseFrame(data.toString());
    if (frame === undefined) listener.onMalformed();
    else {
      if (frame.op === 'bye') this.#afterMs = frame.after_ms;
      listener.onFrame(frame);
    }
  }
}
