import assert from 'node:assert/strict';

import type { ClientFrame, Problem, ServerFrame } from '../src/api.ts';
import type { SocketConstructor, SocketLike } from '../src/connection.ts';
import { isBefore } from '../src/positions.ts';
import type { Fetch } from '../src/rest.ts';
import { ModelConversation, positionOf } from './model-conversation.ts';
import type { VirtualClock } from './virtual-clock.ts';

export const me = 'me';
const user = { id: me, first_name: 'Ada', last_name: 'L', created_at: '', updated_at: '' };

interface ModelSocket extends SocketLike {
  isReady: boolean;
  isClosed: boolean;
  readonly opened: Set<string>;
  readonly deliver: (frame: ServerFrame) => void;
  readonly cut: (code: number) => void;
}

type Listener = (event: { readonly type: string; readonly data?: unknown; readonly code?: number }) => void;

/** What goes wrong next. */
export interface Faults {
  /** `changes` that vanish, and states that come again later, after newer ones. */
  lostFrames: number;
  repeatedFrames: number;
  /** Sends that are refused, with this status; and those that are stored, and whose socket is cut before the answer. */
  refusals: number[];
  cutAnswers: number;
  failedPages: number;
  /** How long REST answers are on their way after they were read. */
  pageDelayMs: number;
}

/**
 * A small server that keeps the rules of the frames, for one person with several conversations. Frames take random time in both directions and
 * stay in order. It does what `faults` say.
 */
export class ModelServer {
  readonly conversations = new Map<string, ModelConversation>();
  readonly faults: Faults = {
    lostFrames: 0,
    repeatedFrames: 0,
    refusals: [],
    cutAnswers: 0,
    failedPages: 0,
    pageDelayMs: 20,
  };
  readonly requests: string[] = [];
  /** All that came on sockets. */
  readonly frames: ClientFrame[] = [];
  /** The ids of all sends that came, with repeats. */
  readonly sends: string[] = [];
  /** The texts of the person's messages, by id, as they were sent. */
  readonly sent = new Map<string, string>();
  timeline = 1;
  place = 1;
  /** Conversations that the person has left. */
  readonly #others = new Map<string, ModelConversation>();
  readonly #gone = new Map<string, number>();
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  #socket: ModelSocket | undefined;

  constructor(clock: VirtualClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get position(): string {
    return positionOf(this.timeline, this.place);
  }

  get isConnected(): boolean {
    return this.#socket?.isReady === true;
  }

  /** One transaction of somebody else, or of the person on another device. */
  commit(id: string, change: (conversation: ModelConversation, place: number) => void): void {
    const conversation = this.conversations.get(id);
    if (conversation === undefined) return;
    const before = conversation.seq;
    this.place += 1;
    change(conversation, this.place);
    if (conversation.seq > before) this.#publish(conversation, before);
  }

  join(id: string): void {
    this.place += 1;
    const conversation = this.conversations.get(id) ?? this.#others.get(id) ?? new ModelConversation(id);
    conversation.place = this.place;
    conversation.ownPlace = this.place;
    this.conversations.set(id, conversation);
    this.#gone.delete(id);
    this.#tell({ op: 'joined', position: this.position, head: conversation.head });
  }

  leave(id: string): void {
    const conversation = this.conversations.get(id);
    if (conversation === undefined) return;
    this.conversations.delete(id);
    this.#others.set(id, conversation);
    this.place += 1;
    this.#gone.set(id, this.place);
    this.#socket?.opened.delete(id);
    this.#tell({ op: 'left', position: this.position, conversation_id: id });
  }

  /** A backup of this moment is restored later: everything after it never happened. */
  snapshot(): () => void {
    const saved = [...this.conversations.values()].map((one) => one.copy());
    return () => {
      this.timeline += 1;
      this.conversations.clear();
      for (const one of saved) this.conversations.set(one.id, one);
      this.cut();
    };
  }

  /** Sends any frame. */
  send(frame: ServerFrame): void {
    this.#socket?.deliver(frame);
  }

  /** Ends the connection; what is on its way is lost. */
  cut(code = 1006): void {
    this.#socket?.cut(code);
  }

  get WebSocket(): SocketConstructor {
    const connect = (): ModelSocket => this.#connect();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A function that returns an object can be called with `new`.
    return function Socket() {
      return connect();
    } as unknown as SocketConstructor;
  }

  readonly fetch: Fetch = async (url, { headers, method }) => {
    const { pathname, searchParams } = new URL(url);
    this.requests.push(`${method} ${pathname}${searchParams.size > 0 ? `?${searchParams.toString()}` : ''}`);
    if (this.faults.failedPages > 0) {
      this.faults.failedPages -= 1;
      throw new TypeError('fetch failed');
    }
    const [, id = '', rest] = /^\/api\/v1\/conversations\/(\w+)(\/messages)?$/u.exec(pathname) ?? [];
    const conversation = this.conversations.get(id);
    const answer =
      conversation === undefined
        ? undefined
        : rest === undefined
          ? conversation.head
          : page(conversation, searchParams);
    // Like a server with a standby: what was read is at least as new as the token.
    assert.ok(!isBefore(this.position, headers['consistency-token'] ?? this.position));
    const problem = { type: '', title: '', status: 404, code: 'conversation_not_found', request_id: 'r' };
    const [text, position] = [JSON.stringify(answer ?? problem), this.position];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#clock.setTimeout(() => resolve(undefined), this.faults.pageDelayMs);
    await promise;
    const get = (name: string): string | null => (name === 'consistency-token' ? position : null);
    return { status: answer === undefined ? 404 : 200, headers: { get }, text: async () => text };
  };

  #connect(): ModelSocket {
    const listeners = new Map<string, Listener>();
    const [toServer, toClient] = [this.#line(), this.#line()];
    const emit = (type: string, event: object = {}): void => listeners.get(type)?.({ type, ...event });
    const socket: ModelSocket = {
      isReady: false,
      isClosed: false,
      opened: new Set(),
      addEventListener: (type, listener) => void listeners.set(type, listener),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The client under test has written it.
      send: (text) => toServer(() => !socket.isClosed && this.#answer(socket, JSON.parse(text) as ClientFrame)),
      deliver: (frame) => {
        const text = JSON.stringify(frame);
        toClient(() => !socket.isClosed && emit('message', { data: text }));
      },
      close: () => this.#end(socket),
      cut: (code) => {
        if (socket.isClosed) return;
        this.#end(socket);
        emit('close', { code });
      },
    };
    this.#socket = socket;
    toClient(() => !socket.isClosed && emit('open'));
    return socket;
  }

  #end(socket: ModelSocket): void {
    socket.isClosed = true;
    if (this.#socket === socket) this.#socket = undefined;
  }

  /** Runs tasks in their order, each after some time. */
  #line(): (task: () => unknown) => void {
    let last = 0;
    return (task) => {
      last = Math.max(last, this.#clock.now() + Math.floor(this.#random() * 40));
      this.#clock.setTimeout(() => void task(), last - this.#clock.now());
    };
  }

  /** Of durable changes: they may be lost and repeated, as the faults say. */
  #tell(frame: ServerFrame): void {
    if (this.#socket?.isReady !== true) return;
    if (frame.op === 'changes' && this.faults.lostFrames > 0) this.faults.lostFrames -= 1;
    else this.#socket.deliver(frame);
    if (this.faults.repeatedFrames === 0 || frame.op === 'joined' || frame.op === 'left') return;
    this.faults.repeatedFrames -= 1;
    const socket = this.#socket;
    this.#clock.setTimeout(() => socket.deliver(frame), this.#random() * 500);
  }

  #publish(conversation: ModelConversation, after: number): void {
    const { position } = this;
    if (this.#socket?.opened.has(conversation.id) === true) {
      this.#tell({ op: 'changes', position, ...conversation.changes(after, Infinity) });
      return;
    }
    const { id, kind: _, created_by: __, created_at: ___, other: ____, me: _____, ...head } = conversation.head;
    this.#tell({ op: 'head', position, conversation_id: id, ...head });
  }

  #answer(socket: ModelSocket, frame: ClientFrame): void {
    this.frames.push(frame);
    if (frame.op === 'hello') return this.#welcome(socket, frame.since);
    if (frame.op === 'ping') return socket.deliver({ op: 'pong' });
    if (frame.op === 'close') return void socket.opened.delete(frame.conversation_id);
    if (!('ref' in frame)) return;
    const { ref } = frame;
    const conversation = this.conversations.get(frame.conversation_id);
    const refuse = (status: number, code: string): void => {
      const problem: Problem = { type: '', title: code, status, code, request_id: 'r' };
      socket.deliver({ op: 'refused', ref, problem });
    };
    if (conversation === undefined) return refuse(404, 'conversation_not_found');
    if (frame.op === 'open') {
      if (frame.after > conversation.seq) return refuse(409, 'unknown_position');
      this.#open(socket, conversation, frame.after);
      return socket.deliver({ op: 'done', ref });
    }
    if (frame.op === 'read') {
      this.place += 1;
      conversation.read = Math.min(Math.max(conversation.read, frame.number), conversation.messages.length);
      conversation.ownPlace = this.place;
      socket.deliver({ op: 'done', ref, position: this.position });
      return this.#tell({ op: 'me', position: this.position, conversation_id: conversation.id, me: conversation.own });
    }
    if (frame.op === 'send') this.#send(socket, conversation, frame, refuse);
  }

  #welcome(socket: ModelSocket, since: string | undefined): void {
    socket.isReady = true;
    const place = since === undefined ? 0 : Number(Buffer.from(since, 'base64url').readBigUInt64BE(4));
    const isSame = since !== undefined && positionOf(this.timeline, place) === since;
    const changed = [...this.conversations.values()].filter(
      (one) => !isSame || Math.max(one.place, one.ownPlace) > place,
    );
    const left = isSame ? [...this.#gone].filter(([, at]) => at > place).map(([id]) => id) : [];
    const heads = changed.map(({ head }) => head);
    const half = Math.floor(heads.length / 2);
    const { position } = this;
    const first = { heads: heads.slice(0, half), left, complete: false };
    socket.deliver({ op: 'welcome', user, position, whole: !isSame, ...first, ping_ms: 25_000 });
    socket.deliver({ op: 'heads', heads: heads.slice(half), left: [], complete: true });
  }

  #open(socket: ModelSocket, conversation: ModelConversation, start: number): void {
    socket.opened.add(conversation.id);
    for (let after = start, isComplete = false; !isComplete;) {
      const changes = conversation.changes(after, 5);
      socket.deliver({ op: 'changes', position: this.position, ...changes });
      isComplete = changes.complete;
      after = changes.to;
    }
  }

  #send(
    socket: ModelSocket,
    conversation: ModelConversation,
    { ref, id, ...message }: Extract<ClientFrame, { readonly op: 'send' }>,
    refuse: (status: number, code: string) => void,
  ): void {
    this.sends.push(id);
    this.sent.set(id, message.body);
    const status = this.faults.refusals.shift();
    if (status !== undefined) return refuse(status, 'refused_by_model');
    if (message.body.startsWith('bad')) return refuse(403, 'not_permitted');
    const before = conversation.seq;
    const known = conversation.messages.find((one) => one.id === id);
    if (known === undefined) this.place += 1;
    const { number, seq } = known ?? conversation.insert(this.place, me, id, message);
    conversation.read = Math.max(conversation.read, number);
    conversation.ownPlace = this.place;
    const done = { op: 'done', ref, position: this.position, number, seq, created_at: '' } as const;
    if (this.faults.cutAnswers > 0) {
      this.faults.cutAnswers -= 1;
      return socket.cut(1006);
    }
    // The answer and the change come from two sources of the server: in either order.
    const isFirst = this.#random() < 0.5;
    if (isFirst) socket.deliver(done);
    if (known === undefined) this.#publish(conversation, before);
    if (!isFirst) socket.deliver(done);
    this.#tell({ op: 'me', position: this.position, conversation_id: conversation.id, me: conversation.own });
  }
}

function page({ messages }: ModelConversation, query: URLSearchParams): unknown {
  const before = Number(query.get('before') ?? Infinity);
  return messages.filter(({ number }) => number < before).slice(-Number(query.get('limit')));
}
