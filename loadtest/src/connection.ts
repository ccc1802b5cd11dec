import { connect, type Socket } from 'node:net';

import { AnswerReader, MalformedAnswer, type Answer } from './http-answer.ts';

/** The resolved address of the server, so that no name is looked up during the run. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Source addresses, used in turn; default: the system's choice. */
  readonly sources?: readonly string[];
}

/** Why a request failed. `example` adds detail, never user data. */
export interface Fault {
  readonly kind: string;
  readonly example?: string;
}

/** Called exactly once for each `send`, with an answer or a fault. Never called after `close`. */
export interface Listener {
  onAnswer(answer: Answer): void;
  onFault(fault: Fault): void;
}

/** One buffer for all reads of the process: each read is processed before the next one starts. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

let opened = 0;

const names: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
};

/**
 * A keep-alive connection of one user, with one request at a time. Opens with the first request, and again when the server closed
 * it between two requests. Unexpected bytes close it.
 */
export class Connection {
  readonly #address: Address;
  readonly #listener: Listener;
  #socket: Socket | undefined;
  #reader = new AnswerReader();
  #isWaiting = false;

  constructor(address: Address, listener: Listener) {
    this.#address = address;
    this.#listener = listener;
  }

  /** Sends a whole request, in Latin-1. Only while no other request is in flight. */
  send(request: string): void {
    this.#isWaiting = true;
    this.#socket ??= this.#open();
    this.#socket.write(request, 'latin1');
  }

  /** Abandons the request in flight, if any. */
  close(): void {
    this.#isWaiting = false;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    this.#reader = new AnswerReader();
    const { host, port, sources = [] } = this.#address;
    const localAddress = sources[(opened += 1) % sources.length];
    const socket = connect({
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          if (socket === this.#socket) this.#read(readBuffer.subarray(0, length));
          return true;
        },
      },
    });
    let fault: Fault | undefined;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fault = faultOf(error);
    });
    // The server closed before the end of the answer, or 'error' was emitted before.
    socket.on('close', () => {
      if (socket === this.#socket) this.#end(fault ?? this.#endOfBytes());
    });
    socket.on('end', () => socket.destroy());
    return socket;
  }

  #read(bytes: Buffer): void {
    if (!this.#isWaiting) {
      this.close();
      return;
    }
    try {
      const answer = this.#reader.push(bytes);
      if (answer !== undefined) this.#answer(answer);
    } catch (error) {
      if (!(error instanceof MalformedAnswer)) throw error;
      this.#end({ kind: 'malformed answer', example: error.message });
    }
  }

  #answer(answer: Answer): void {
    this.#isWaiting = false;
    if (!answer.keepsConnection) this.close();
    this.#listener.onAnswer(answer);
  }

  #endOfBytes(): Fault {
    return { kind: this.#reader.isMidway ? 'truncated answer' : 'connection closed' };
  }

  #end(fault: Fault): void {
    const wasWaiting = this.#isWaiting;
    this.close();
    if (wasWaiting) this.#listener.onFault(fault);
  }
}

function faultOf({ code = 'unknown error' }: NodeJS.ErrnoException): Fault {
  const kind = names[code];
  return kind === undefined ? { kind: 'connection failed', example: code } : { kind };
}
