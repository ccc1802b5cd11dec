import assert from 'node:assert/strict';
import { once } from 'node:events';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { ClientFrame, ServerFrame, ServerFrames } from '@messenger/protocol/frames';
import type { Membership } from '@messenger/protocol/members';
import type { Message } from '@messenger/protocol/messages';
import { WebSocket } from 'ws';

import { withDeadline } from '../src/lib/with-deadline.ts';
import { waitFor } from './wait-for.ts';

/** What a client holds of an open conversation. */
export interface Held {
  position: number;
  last_number: number;
  member_count: number;
  conversation: Changes['conversation'];
  readonly messages: Map<number, Message>;
  readonly members: Map<string, Membership>;
}

const answerMs = 30_000;

type Frame<Op extends ServerFrame['op']> = ServerFrames[Op];

/** A client of a socket: holds what it is told, and refuses what breaks a promise. */
export class SocketClient {
  readonly frames: ServerFrame[] = [];
  readonly heads = new Map<string, Conversation>();
  readonly held = new Map<string, Held>();
  /** Frames that break a promise, in words. */
  readonly faults: string[] = [];
  position: string | undefined;
  isWelcome = false;
  closeCode: number | undefined;
  readonly #socket: WebSocket;
  #refs = 0;
  readonly #ended = Promise.withResolvers<never>();
  readonly #asked = new Map<string, (answer: Frame<'done'> | Frame<'refused'>) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      assert(Buffer.isBuffer(data));
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of our server.
      this.#hear(JSON.parse(data.toString()) as ServerFrame);
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#ended.reject(new Error(`the socket was closed with ${code}`));
    });
    this.#ended.promise.catch(() => undefined);
    socket.on('error', () => undefined);
  }

  static async connect(port: number, headers: Readonly<Record<string, string>> = {}): Promise<SocketClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, subprotocol, { headers });
    const client = new SocketClient(socket);
    await once(socket, 'open');
    return client;
  }

  /** Connects, and resolves when everything of `welcome` has arrived. */
  static async hello(port: number, token: string, since?: string): Promise<SocketClient> {
    const client = await SocketClient.connect(port);
    client.say({ op: 'hello', token, ...(since === undefined ? {} : { since }) });
    await waitFor('welcome', () => client.isWelcome || client.closeCode !== undefined);
    return client;
  }

  /** Connects again, with what an earlier connection held. */
  static async resume(port: number, token: string, last: SocketClient | undefined): Promise<SocketClient> {
    const client = await SocketClient.hello(port, token, last?.position);
    const [welcome] = client.all('welcome');
    assert.ok(welcome !== undefined, `the socket was closed with ${client.closeCode}`);
    const left = new Set(client.all('welcome', 'heads').flatMap((frame) => frame.left));
    if (!welcome.whole)
      for (const [id, head] of last?.heads ?? [])
        if (!client.heads.has(id) && !left.has(id)) client.heads.set(id, head);
    for (const [id, held] of last?.held ?? []) client.held.set(id, held);
    return client;
  }

  /** Opens a conversation at the position that is held, if any. */
  async openAgain(id: string): Promise<void> {
    const held = this.held.get(id);
    if (held === undefined) assert.equal(await this.open(id), 'done');
    else assert.equal((await this.ask({ op: 'open', conversation_id: id, after: held.position })).op, 'done');
  }

  say(frame: ClientFrame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  sayRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  /** Says a frame with a reference; resolves with the answer, or rejects after a while. */
  async ask(frame: Record<string, unknown>): Promise<Frame<'done'> | Frame<'refused'>> {
    this.#refs += 1;
    const ref = `r${this.#refs}`;
    const { promise, resolve } = Promise.withResolvers<Frame<'done'> | Frame<'refused'>>();
    this.#asked.set(ref, resolve);
    this.#socket.send(JSON.stringify({ ...frame, ref }));
    return await withDeadline(Promise.race([promise, this.#ended.promise]), answerMs);
  }

  /** Opens a conversation; resolves with `done`, or the code of the refusal. */
  async open(id: string, after = 0): Promise<string> {
    this.held.set(id, {
      position: after,
      last_number: 0,
      member_count: 0,
      conversation: null,
      messages: new Map(),
      members: new Map(),
    });
    const answer = await this.ask({ op: 'open', conversation_id: id, after });
    return answer.op === 'done' ? 'done' : answer.problem.code;
  }

  all<Op extends ServerFrame['op']>(...ops: readonly Op[]): Frame<Op>[] {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Filtered by it.
    return this.frames.filter(({ op }) => ops.some((one) => one === op)) as Frame<Op>[];
  }

  /** The texts of an open conversation, in order. */
  bodies(id: string): (string | undefined)[] {
    const messages = [...(this.held.get(id)?.messages.values() ?? [])];
    return messages.toSorted((one, other) => one.number - other.number).map(({ body }) => body);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(): Promise<void> {
    if (this.closeCode !== undefined) return;
    this.#socket.close();
    await waitFor('the end of the socket', () => this.closeCode !== undefined);
  }

  /** Without a close frame. */
  kill(): void {
    this.#socket.terminate();
  }

  #hear(frame: ServerFrame): void {
    this.frames.push(frame);
    if ('position' in frame && frame.op !== 'done') this.position = frame.position;
    switch (frame.op) {
      case 'done':
      case 'refused':
        this.#asked.get(frame.ref)?.(frame);
        this.#asked.delete(frame.ref);
        break;
      case 'welcome':
      case 'heads':
        for (const head of frame.heads) this.heads.set(head.id, head);
        for (const id of frame.left) this.heads.delete(id);
        this.isWelcome = frame.complete;
        break;
      case 'joined':
        this.heads.set(frame.head.id, frame.head);
        break;
      case 'left':
        this.heads.delete(frame.conversation_id);
        this.held.delete(frame.conversation_id);
        break;
      case 'head':
        this.#head(frame);
        break;
      case 'me': {
        const head = this.heads.get(frame.conversation_id);
        if (head !== undefined) head.me = frame.me;
        break;
      }
      case 'changes':
        this.#changes(frame);
        break;
      default:
        break;
    }
  }

  #head({ op: _op, position: _position, conversation_id: id, ...state }: Frame<'head'>): void {
    const head = this.heads.get(id);
    if (head === undefined) return void this.faults.push('a head of an unknown conversation');
    if (state.seq < head.seq) this.faults.push(`a head went back from ${head.seq} to ${state.seq}`);
    Object.assign(head, state);
    countUnread(head);
  }

  #changes(changes: Frame<'changes'>): void {
    const { conversation_id: id, from, to, messages, members, conversation, last_number, member_count } = changes;
    const held = this.held.get(id);
    if (held === undefined) return void this.faults.push('changes of a conversation that is not open');
    if (from !== held.position) this.faults.push(`changes from ${from} after ${held.position}`);
    for (const { seq } of [...messages, ...members])
      if (seq <= from || seq > to) this.faults.push(`a state of ${seq} in changes from ${from} to ${to}`);
    Object.assign(held, { position: to, last_number, member_count });
    if (conversation !== null) held.conversation = conversation;
    for (const message of messages) held.messages.set(message.number, message);
    for (const member of members) held.members.set(member.user_id, member);
    this.#headFrom(changes);
  }

  /** Of an open conversation, no heads come: its changes have the same. */
  #headFrom({ conversation_id: id, to, last_number, member_count, messages, conversation }: Frame<'changes'>): void {
    const head = this.heads.get(id);
    if (head === undefined || to < head.seq) return;
    Object.assign(head, { seq: to, last_number, member_count });
    if (conversation !== null) Object.assign(head, conversation);
    const last = messages.find(({ number }) => number === last_number);
    if (last !== undefined) {
      const { number, sender_id, body, created_at } = last;
      // oxlint-disable-next-line typescript/no-misused-spread -- The server counts code points.
      const preview = body === undefined ? null : [...body].slice(0, 200).join('');
      Object.assign(head, { last_message: { number, sender_id, preview, created_at }, active_at: created_at });
    }
    countUnread(head);
  }
}

function countUnread(head: Conversation): void {
  head.me.unread = Math.max(head.last_number - head.me.read_number, 0);
}
