import type { ClientFrame, ServerFrame } from './api.ts';
import { backOffMs, type Clock } from './clock.ts';

/** What this client needs of a WebSocket: the browsers' and Node's have it, and that of the package `ws`. */
export interface SocketLike {
  send(text: string): void;
  close(): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

interface SocketEvent {
  readonly type: string;
}

export type SocketConstructor = new (url: string, protocol: string) => SocketLike;

/**
 * `closed`: not started, or stopped. `connecting`: until the server's welcome. `online`. `waiting`: for the next attempt. `ended`: the server
 * wants no other attempt, for example because the session has ended.
 */
export type ConnectionState = 'closed' | 'connecting' | 'online' | 'waiting' | 'ended';

export interface ConnectionOptions {
  /** Of the server, as for REST. */
  readonly url: string;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  readonly random: () => number;
  /** The first frame of each connection. */
  readonly hello: () => ClientFrame;
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onState: (state: ConnectionState) => void;
}

const protocol = 'messenger.v1';
const welcomeWithinMs = 15_000;
const retryBaseMs = 500;
const retryMaxMs = 30_000;
/** A connection that lived so long has worked: the next attempts begin with short delays again. */
const workedAfterMs = 10_000;

/** After these, and after 4500 to 4999, another attempt would end the same way. */
const finalCodes: ReadonlySet<number> = new Set([1002, 1007, 1008, 1009]);

function isFinal(code: number): boolean {
  return finalCodes.has(code) || (code >= 4500 && code < 5000);
}

/** One socket after another: connects again with jitter, as the server asks, and when the network is silent. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #url: string;
  #state: ConnectionState = 'closed';
  #socket: SocketLike | undefined;
  /** For the next attempt, the welcome, or the next look at the silence. */
  #timer: unknown;
  #attempts = 0;
  #openedAt = 0;
  #heardAt = 0;
  #pingMs = 0;
  #afterMs: number | undefined;
  #endCode: number | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#url = new URL('/api/v1/socket', options.url).href.replace(/^http/u, 'ws');
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The close code of a connection that has `ended`. */
  get endCode(): number | undefined {
    return this.#endCode;
  }

  start(): void {
    if (this.#state === 'closed' || this.#state === 'ended') this.#connect();
  }

  stop(): void {
    this.#drop('closed');
  }

  /** Whether the frame was handed to a socket; it may be lost with it. */
  send(frame: ClientFrame): boolean {
    if (this.#state !== 'online') return false;
    this.#socket?.send(JSON.stringify(frame));
    return true;
  }

  /** The server has accepted `hello`. */
  welcomed(pingMs: number): void {
    this.#pingMs = pingMs;
    this.#openedAt = this.#options.clock.now();
    this.#setTimer(() => this.#listen(), pingMs / 2);
    this.#setState('online');
  }

  /** The network may be back, or gone: connects at once, or asks the server for a sign of life. */
  hint(): void {
    if (this.#state === 'waiting') this.#connect();
    else if (this.send({ op: 'ping' }))
      this.#heardAt = Math.min(this.#heardAt, this.#options.clock.now() - this.#pingMs);
  }

  #connect(): void {
    const { WebSocket } = this.#options;
    this.#afterMs = undefined;
    this.#attempts += 1;
    const socket = new WebSocket(this.#url, protocol);
    this.#socket = socket;
    const ifCurrent = (task: () => void) => (): void => {
      if (this.#socket === socket) task();
    };
    socket.addEventListener(
      'open',
      ifCurrent(() => socket.send(JSON.stringify(this.#options.hello()))),
    );
    socket.addEventListener('message', (event: SocketEvent & { readonly data?: unknown }) => {
      if (this.#socket === socket) this.#receive(event.data);
    });
    socket.addEventListener('close', (event: SocketEvent & { readonly code?: number }) => {
      if (this.#socket === socket) this.#closed(event.code ?? 1006);
    });
    // A close event follows.
    socket.addEventListener('error', () => undefined);
    this.#setTimer(() => this.#closed(1006), welcomeWithinMs);
    this.#setState('connecting');
  }

  #receive(data: unknown): void {
    this.#heardAt = this.#options.clock.now();
    const frame = parse(data);
    if (frame?.op === 'bye') this.#afterMs = frame.after_ms;
    if (frame !== undefined) this.#options.onFrame(frame);
  }

  /** Every half of `pingMs`: pings when nothing has come for that long, and gives up after twice that time. */
  #listen(): void {
    const silentMs = this.#options.clock.now() - this.#heardAt;
    if (silentMs >= 2 * this.#pingMs) return this.#closed(1006);
    if (silentMs >= this.#pingMs / 2) this.send({ op: 'ping' });
    this.#setTimer(() => this.#listen(), this.#pingMs / 2);
  }

  #closed(code: number): void {
    const { clock, random } = this.#options;
    if (this.#state === 'online' && clock.now() - this.#openedAt >= workedAfterMs) this.#attempts = 0;
    if (isFinal(code)) {
      this.#endCode = code;
      return this.#drop('ended');
    }
    const delayMs = this.#afterMs ?? backOffMs(Math.max(1, this.#attempts), retryBaseMs, retryMaxMs, random);
    this.#drop('waiting');
    this.#setTimer(() => this.#connect(), delayMs);
  }

  #drop(state: ConnectionState): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#options.clock.clearTimeout(this.#timer);
    socket?.close();
    this.#setState(state);
  }

  #setTimer(task: () => void, delayMs: number): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = this.#options.clock.setTimeout(task, delayMs);
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState(state);
  }
}

/** Undefined for what is no frame. */
function parse(data: unknown): ServerFrame | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- An unknown `op` is ignored; the server builds the others by their schemas.
    return typeof value === 'object' && value !== null && 'op' in value ? (value as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
