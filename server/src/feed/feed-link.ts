import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Position } from '../db/position.ts';
import { backOffMs } from '../lib/backoff.ts';
import type { FeedLink, FeedListener } from './feed.ts';
import { encodeFrame, readFrames, writeSoon } from './frames.ts';
import { received, type FromWorker, type ToWorker } from './wire.ts';

const retry = { baseMs: 20, maxMs: 1_000 };
/** Of a frame that follows many. */
const keysPerFrame = 1_000;

/** A worker's connection to the feed of its node, made again whenever it is lost. */
export class SocketFeedLink implements FeedLink {
  readonly #path: string;
  readonly #listener: FeedListener;
  readonly #random: () => number;
  readonly #keys = new Set<string>();
  readonly #requests = new Map<number, (since: Position | undefined) => void>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #lastRequest = 0;
  #socket: Socket | undefined;
  #isLive = false;

  /** Connects in the background; `onGap` is called when commits are delivered. */
  constructor(path: string, listener: FeedListener, random: () => number) {
    this.#path = path;
    this.#listener = listener;
    this.#random = random;
    this.#running = this.#run();
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  async follow(...keys: readonly string[]): Promise<Position | undefined> {
    for (const key of keys) this.#keys.add(key);
    if (this.#socket === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<Position | undefined>();
    this.#lastRequest += 1;
    this.#requests.set(this.#lastRequest, resolve);
    this.#send(['follow', this.#lastRequest, keys]);
    return await promise;
  }

  unfollow(...keys: readonly string[]): void {
    const followed = keys.filter((key) => this.#keys.delete(key));
    if (followed.length > 0) this.#send(['unfollow', followed]);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    let attempts = 0;
    while (!this.#stopping.signal.aborted) {
      const hasConnected = await this.#connectOnce();
      attempts = hasConnected ? 1 : attempts + 1;
      const delayMs = backOffMs({ ...retry, random: this.#random }, attempts);
      await sleep(delayMs, undefined, this.#stopping).catch(() => undefined);
    }
  }

  /** Resolves when the connection ends, with whether there was one. */
  async #connectOnce(): Promise<boolean> {
    const socket = connect(this.#path);
    let hasConnected = false;
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.on('error', () => undefined); // `close` follows.
    socket.once('close', resolve);
    socket.once('connect', () => {
      hasConnected = true;
      this.#join(socket);
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Both ends run the same code.
    readFrames(socket, (content) => this.#hear(content as ToWorker));
    const stop = (): void => void socket.destroy();
    this.#stopping.signal.addEventListener('abort', stop, { once: true });
    await closed;
    this.#stopping.signal.removeEventListener('abort', stop);
    this.#lost();
    return hasConnected;
  }

  #join(socket: Socket): void {
    this.#socket = socket;
    const keys = [...this.#keys];
    for (let at = 0; at < keys.length; at += keysPerFrame) this.#send(['follow', 0, keys.slice(at, at + keysPerFrame)]);
    this.#send(['join']);
  }

  #lost(): void {
    this.#socket = undefined;
    this.#isLive = false;
    for (const resolve of this.#requests.values()) resolve(undefined);
    this.#requests.clear();
  }

  #hear(frame: ToWorker): void {
    switch (frame[0]) {
      case 'followed':
        this.#requests.get(frame[1])?.(frame[2] === null ? undefined : received(frame[2]));
        this.#requests.delete(frame[1]);
        break;
      case 'gap':
        this.#isLive = true;
        this.#listener.onGap(received(frame[1]));
        break;
      case 'down':
        this.#isLive = false;
        break;
      case 'commit':
        this.#listener.onCommit({ position: received(frame[1]), committedAtMs: frame[2], rows: frame[3] });
        break;
      case 'message':
        this.#listener.onMessage(frame[1], frame[2]);
        break;
    }
  }

  #send(frame: FromWorker): void {
    if (this.#socket !== undefined) writeSoon(this.#socket, encodeFrame(frame));
  }
}
