import type { Socket } from 'node:net';

import type { Position } from '../db/position.ts';
import { writeSoon } from './frames.ts';
import { encodeForWorker, sent } from './wire.ts';

/** A worker that has more than this unread is told of a gap, and reads. */
const maxQueuedBytes = 8 * 1_048_576;

/** One worker, as the feed sees it: what it follows, and what it has not read yet. */
export class Follower {
  readonly keys = new Set<string>();
  /** From then on it is told what it follows. */
  hasJoined = false;
  readonly #socket: Socket;
  readonly #since: () => Position | undefined;
  readonly #onGap: () => void;
  #isBehind = false;

  /** `since` is the end of what was delivered to all. */
  constructor(socket: Socket, since: () => Position | undefined, onGap: () => void) {
    this.#socket = socket;
    this.#since = since;
    this.#onGap = onGap;
    socket.on('drain', () => this.#drained());
  }

  /** Drops the frame when too much is unread. */
  send(frame: Buffer): void {
    if (!this.hasJoined || this.#isBehind) return;
    if (this.#socket.writableLength > maxQueuedBytes) {
      this.#isBehind = true;
      this.#onGap();
      return;
    }
    writeSoon(this.#socket, frame);
  }

  /** For what is never dropped, and small. */
  answer(frame: Buffer): void {
    writeSoon(this.#socket, frame);
  }

  /** It learns of its gap once it has read the rest. */
  #drained(): void {
    if (!this.#isBehind) return;
    this.#isBehind = false;
    const since = this.#since();
    this.send(encodeForWorker(since === undefined ? ['down'] : ['gap', sent(since)]));
  }
}
