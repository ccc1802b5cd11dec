import type { ClientFrame, ServerFrame, ServerFrames } from '@messenger/protocol/frames';

import type { Address } from '../connection.ts';
import { ChatSocket, type SocketEnd } from './chat-socket.ts';
import type { Ledger } from './ledger.ts';
import { View, type Arrival } from './view.ts';

/** Where devices connect, and the conversations of the run by id. */
export interface Network {
  readonly address: Address;
  readonly host: string;
}

export interface DeviceListener {
  /** The whole list has arrived. */
  onReady(): void;
  /** All changes of an open conversation have arrived; from now on, they arrive live. */
  onLive(view: View): void;
  /** Live, in an open conversation. */
  onArrivals(view: View, arrivals: readonly Arrival[]): void;
  /** Live, in the list: the numbers of the messages that are new. */
  onListUpdate(view: View, first: number, last: number): void;
  onAnswer(frame: ServerFrames['done'] | ServerFrames['refused']): void;
  onMalformed(): void;
  onEnd(end: SocketEnd): void;
}

/** One device of a person: its socket, which may come and go, and what it has been shown. */
export class Device {
  readonly views: ReadonlyMap<string, View>;
  readonly #network: Network;
  readonly #token: string;
  readonly #listener: DeviceListener;
  /** Ids of conversations for which a `close` is on its way; until the next `pong`, their changes still count. */
  readonly #closing: string[] = [];
  readonly #listed = new Set<string>();
  #socket: ChatSocket | undefined;
  #frozen: ChatSocket | undefined;
  #position: string | undefined;
  #isReady = false;
  #mustListAll = true;

  constructor(
    network: Network,
    { token, name, ledgers }: { token: string; name: string; ledgers: ReadonlyMap<string, Ledger> },
    listener: DeviceListener,
  ) {
    this.#network = network;
    this.#token = token;
    this.#listener = listener;
    this.views = new Map(ledgers.entries().map(([id, ledger]) => [id, new View(ledger, name)]));
  }

  /** Connected, with the whole list. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Connected, or connecting. */
  get hasSocket(): boolean {
    return this.#socket !== undefined;
  }

  /** Replaces the socket. Continues at the last position, if there is one. */
  connect(): void {
    this.leave();
    this.#listed.clear();
    const socket = new ChatSocket(this.#network.address, this.#network.host, {
      onOpen: () => {
        const since = this.#position === undefined ? {} : { since: this.#position };
        socket.send({ op: 'hello', token: this.#token, ...since });
      },
      onFrame: (frame) => this.#onFrame(frame),
      onMalformed: () => this.#listener.onMalformed(),
      onEnd: (end) => {
        this.#forgetSocket();
        this.#listener.onEnd(end);
      },
    });
    this.#socket = socket;
  }

  /** Disconnects without a word. */
  leave(): void {
    this.#socket?.cut();
    this.#frozen?.cut();
    this.#frozen = undefined;
    this.#forgetSocket();
  }

  /** Stops reading. The socket ends with the next `connect` or `leave`. */
  freeze(): void {
    this.#socket?.freeze();
    this.#frozen = this.#socket;
    this.#forgetSocket();
  }

  send(frame: ClientFrame): void {
    this.#socket?.send(frame);
  }

  /** False until the `pong` after its last `close`. */
  canOpen(view: View): boolean {
    return !view.isOpen && view.isListed;
  }

  open(conversationId: string, view: View, ref: string): void {
    this.send({ op: 'open', ref, conversation_id: conversationId, after: view.open() });
  }

  close(conversationId: string): void {
    this.#closing.push(conversationId);
    this.send({ op: 'close', conversation_id: conversationId });
    this.send({ op: 'ping' });
  }

  #forgetSocket(): void {
    this.#socket = undefined;
    this.#isReady = false;
    this.#closing.length = 0;
    for (const view of this.views.values()) view.close();
  }

  #onFrame(frame: ServerFrame): void {
    if ('position' in frame && frame.op !== 'done') this.#position = frame.position;
    switch (frame.op) {
      case 'welcome':
        this.#mustListAll = frame.whole;
        return this.#onList(frame);
      case 'heads':
        return this.#onList(frame);
      case 'head':
        return this.#onHead(frame);
      case 'me':
        return this.views.get(frame.conversation_id)?.onOwnState(frame.me);
      case 'changes':
        return this.#onChanges(frame);
      case 'done':
      case 'refused':
        return this.#listener.onAnswer(frame);
      case 'pong':
        return this.views.get(this.#closing.shift() ?? '')?.close();
      default:
        return undefined;
    }
  }

  #onList({ heads, complete }: Pick<ServerFrames['heads'], 'heads' | 'complete'>): void {
    for (const head of heads) {
      this.views.get(head.id)?.onListed(head);
      this.#listed.add(head.id);
    }
    if (!complete) return;
    for (const [id, view] of this.views) if (this.#mustListAll && !this.#listed.has(id)) view.reportMissing();
    this.#isReady = true;
    this.#listener.onReady();
  }

  #onHead(frame: ServerFrames['head']): void {
    const view = this.views.get(frame.conversation_id);
    const numbers = view?.onHead(frame);
    if (view?.isOpen === false && numbers !== undefined) this.#listener.onListUpdate(view, numbers.first, numbers.last);
  }

  #onChanges(frame: ServerFrames['changes']): void {
    const view = this.views.get(frame.conversation_id);
    if (view === undefined) return;
    const { arrivals, isNowLive } = view.onChanges(frame);
    this.#listener.onArrivals(view, arrivals);
    if (isNowLive) this.#listener.onLive(view);
  }
}
