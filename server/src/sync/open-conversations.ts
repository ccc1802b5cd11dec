import { openConversationsMax } from '@messenger/protocol/limits';

import type { Position } from '../db/position.ts';
import { keyOf } from '../feed/feed.ts';
import { AppError } from '../lib/app-error.ts';
import { Frame } from '../sockets/frame.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';
import type { Opened, Topic } from './topic.ts';

/** The conversations that a socket has open: it gets all their changes. */
export class OpenConversations {
  readonly #socket: SyncSocket;
  readonly #services: SyncServices;
  readonly #opened = new Map<string, { readonly topic: Topic; readonly state: Opened }>();

  constructor(socket: SyncSocket, services: SyncServices) {
    this.#socket = socket;
    this.#services = services;
  }

  /** Follows a conversation from `after` on. Resolves when everything so far was sent. */
  async open(ref: string, id: string, after: number): Promise<void> {
    this.close(id);
    if (this.#opened.size >= openConversationsMax) throw new AppError('too_many_open');
    const topic = this.#services.topic(id);
    const state: Opened = { held: after, isLoading: true, wanted: 0 };
    this.#opened.set(id, { topic, state });
    topic.open.set(this.#socket, state);
    try {
      const position = await this.#services.follows.add(keysOf(id));
      const first = await this.#readPage(topic, state, position);
      if (first === undefined) return;
      this.#socket.answer({ op: 'done', ref });
      void this.#readOn(topic, state, first);
    } catch (error) {
      if (this.#isOpen(topic, state)) this.close(id);
      throw error;
    }
  }

  close(id: string): void {
    const opened = this.#opened.get(id);
    if (opened === undefined) return;
    this.#opened.delete(id);
    opened.topic.closed(this.#socket);
    this.#services.follows.remove(keysOf(id));
    this.#services.release(opened.topic);
  }

  closeAll(): void {
    for (const id of this.#opened.keys()) this.close(id);
  }

  /** Reads what it lacks of a conversation. */
  async load(topic: Topic, state: Opened): Promise<void> {
    if (state.isLoading || !this.#isOpen(topic, state)) return;
    state.isLoading = true;
    await this.#readOn(topic, state);
  }

  /** The same for each that the feed has not kept current. */
  async loadStale(): Promise<void> {
    const stale = [...this.#opened.values()].filter(({ topic, state }) => !topic.isCurrent(state.held));
    await Promise.all(stale.map(async ({ topic, state }) => this.load(topic, state)));
  }

  /** Reads and sends pages until all is there, then leaves the socket to live changes. Never rejects. */
  async #readOn(topic: Topic, state: Opened, first?: Page): Promise<void> {
    try {
      for (let page = first ?? (await this.#readPage(topic, state)); page !== undefined;) {
        if (page.changes.to > state.held || page.changes.complete) await this.#socket.write(page.frame);
        if (!this.#isOpen(topic, state)) return;
        const isDone = isLast(page, state);
        state.held = page.changes.to;
        page = isDone ? undefined : await this.#readPage(topic, state);
      }
      if (!this.#isOpen(topic, state)) return;
      state.isLoading = false;
      topic.loaded(this.#socket, state);
    } catch (error) {
      this.#failed(topic, state, error);
    }
  }

  /** Undefined when it was closed meanwhile. */
  async #readPage(topic: Topic, state: Opened, position?: Position): Promise<Page | undefined> {
    const { wanted } = state;
    const caller = this.#socket.caller(position);
    const query = { after: state.held };
    const changes = await this.#services.changes.read(topic.id, query, this.#socket.account, caller);
    if (!this.#isOpen(topic, state)) return undefined;
    const frame = new Frame({ op: 'changes', position: this.#socket.position(caller.seen), ...changes });
    return { changes, frame, wanted };
  }

  #failed(topic: Topic, state: Opened, error: unknown): void {
    state.isLoading = false;
    if (!this.#isOpen(topic, state)) return;
    if (!(error instanceof AppError)) this.#services.failed(error);
    else if (error.code === 'conversation_not_found') this.#socket.leave(topic.id);
    else if (error.code === 'unknown_position') this.#socket.end('unavailable');
    else this.#services.retry(async () => this.load(topic, state));
  }

  #isOpen(topic: Topic, state: Opened): boolean {
    return !this.#socket.hasEnded && this.#opened.get(topic.id)?.state === state;
  }
}

interface Page {
  readonly changes: Awaited<ReturnType<SyncServices['changes']['read']>>;
  readonly frame: Frame;
  /** What was wanted when it was read. */
  readonly wanted: number;
}

/** A read that covers all that was wanted, and finds nothing more: what is wanted beyond was lost by a failover. */
function isLast({ changes, wanted }: Page, state: Opened): boolean {
  return changes.complete && (changes.to >= state.wanted || (changes.to === state.held && wanted === state.wanted));
}

function keysOf(id: string): string[] {
  return [keyOf('conversation_id', id), keyOf('id', id)];
}
