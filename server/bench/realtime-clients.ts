/** A process with many clients of sockets, as cheap as they can be: they count the frames that arrive, and read nothing in them. */
import { connect } from 'node:net';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';

/** From the parent: open so many sockets, shared equally by the ports; expect so many frames in all. Answered when it is done. */
export type ClientsOrder =
  | { readonly sockets: number; readonly ports: readonly number[] }
  | { readonly expect: number };

/** Opened at the same time. */
const opening = 100;
const shared = Buffer.allocUnsafe(1 << 20);
let arrived = 0;
let expected = Number.POSITIVE_INFINITY;

/** Masked with zeros, which changes nothing: `hello`, and the answer to a ping. */
const hello = Buffer.from([0x81, 0x8e, 0, 0, 0, 0, ...Buffer.from('{"op":"hello"}')]);
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** Counts the text frames of a stream, and reports pings. */
class FrameCounter {
  readonly #onPing: () => void;
  #skip = 0;
  #header: number[] = [];

  constructor(onPing: () => void) {
    this.#onPing = onPing;
  }

  take(bytes: Buffer, length: number): number {
    let frames = 0;
    for (let at = 0; at < length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, length - at);
        this.#skip -= skipped;
        at += skipped;
        if (this.#skip === 0) frames += 1;
      } else {
        this.#header.push(bytes[at] ?? 0);
        at += 1;
        this.#readHeader();
      }
    }
    return frames;
  }

  #readHeader(): void {
    const [first, size = -1, high = 0, low = 0] = this.#header;
    if (size < 0 || (size === 126 && this.#header.length < 4)) return;
    if (size === 127) throw new Error('a frame of more than 64 KiB');
    this.#skip = size === 126 ? high * 256 + low : size;
    this.#header = [];
    if (first === 0x89) this.#onPing();
  }
}

async function open(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const counter = new FrameCounter(() => socket.write(pong));
  let isOpen = false;
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: {
      buffer: shared,
      callback: (length) => {
        if (isOpen) {
          arrived += counter.take(shared, length);
          if (arrived >= expected) tell();
        } else {
          isOpen = shared.toString('latin1', 0, length).startsWith('HTTP/1.1 101');
          if (isOpen) socket.write(hello, () => resolve());
          else reject(new Error(shared.toString('latin1', 0, length)));
        }
        return true;
      },
    },
  });
  socket.on('error', reject);
  socket.write(
    `GET ${socketPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
  );
  await promise;
}

function tell(): void {
  expected = Number.POSITIVE_INFINITY;
  process.send?.(arrived);
}

async function openAll(sockets: number, ports: readonly number[]): Promise<void> {
  for (let begun = 0; begun < sockets; begun += opening) {
    const some = Array.from({ length: Math.min(opening, sockets - begun) }, async (_none, n) =>
      open(ports[(begun + n) % ports.length] ?? 0),
    );
    await Promise.all(some);
  }
  process.send?.(sockets);
}

process.on('message', (order: ClientsOrder) => {
  if ('sockets' in order) void openAll(order.sockets, order.ports);
  else {
    expected = order.expect;
    if (arrived >= expected) tell();
  }
});
