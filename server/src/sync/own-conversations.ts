import type { Conversation } from '@messenger/protocol/conversations';

import type { Position } from '../db/position.ts';
import { keyOf } from '../feed/feed.ts';
import { Frame } from '../sockets/frame.ts';
import { headIn } from './feed-rows.ts';
import type { Person } from './person.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';
import type { Topic } from './topic.ts';

/** Conversations per frame. */
const headsPerFrame = 100;
const pingMs = 25_000;

interface Heads {
  readonly conversations: readonly Conversation[];
  readonly ids: readonly string[];
  readonly left: readonly string[];
  readonly clockMs: number;
  readonly seen: Position | undefined;
}

/** The conversations of the person of a socket: it is told their newest heads. */
export class OwnConversations {
  readonly #socket: SyncSocket;
  readonly #services: SyncServices;
  readonly #topics = new Map<string, Topic>();
  /** Left, and not told yet. */
  readonly #left = new Set<string>();
  /** What happened before the end of `welcome`. */
  readonly #missedHeads = new Set<Topic>();
  readonly #missedMe = new Set<string>();
  readonly #missedJoins = new Map<string, Frame>();
  #refreshMs: number | undefined;

  constructor(socket: SyncSocket, services: SyncServices) {
    this.#socket = socket;
    this.#services = services;
  }

  has(id: string): boolean {
    return this.#topics.has(id);
  }

  /** Follows conversations. Resolves with those that are new, when their later changes are delivered. */
  async follow(ids: readonly string[]): Promise<{ fresh: string[]; position: Position | undefined }> {
    const fresh = ids.filter((id) => !this.#topics.has(id));
    for (const id of fresh) {
      const topic = this.#services.topic(id);
      this.#topics.set(id, topic);
      // Nothing is told of it before it is known to the client.
      topic.heads.set(this.#socket, Number.POSITIVE_INFINITY);
    }
    const position = await this.#services.follows.add(fresh.map((id) => keyOf('id', id)));
    return { fresh, position };
  }

  unfollowAll(): void {
    for (const topic of this.#topics.values()) this.#unfollow(topic);
    this.#topics.clear();
  }

  leave(id: string): void {
    const topic = this.#topics.get(id);
    if (topic === undefined) return;
    this.#topics.delete(id);
    this.#unfollow(topic);
    this.#left.add(id);
    this.#tellLeft();
  }

  /** `frame` is made once for all sockets of the person. */
  joined({ id, seq }: Conversation, frame: Frame): void {
    const topic = this.#topics.get(id);
    if (topic === undefined) return;
    this.#left.delete(id);
    if (this.#socket.state === 'welcoming') this.#missedJoins.set(id, frame);
    else this.#socket.deliver(frame);
    this.#known(topic, seq);
  }

  /** Could not be told now. What a slow reader misses is read from the database later. */
  missedHead(topic: Topic): void {
    if (this.#socket.state === 'welcoming') this.#missedHeads.add(topic);
  }

  missedMe(id: string): void {
    if (this.#socket.state === 'welcoming') this.#missedMe.add(id);
  }

  refreshLater(sinceMs: number): void {
    this.#refreshMs = Math.min(this.#refreshMs ?? sinceMs, sinceMs);
  }

  /** Sends `welcome`. Resolves with the clock of the server that was read. */
  async welcome(sinceMs: number | undefined, position: Position | undefined): Promise<number> {
    const [{ user, account }, found] = await Promise.all([
      this.#services.accounts.get(this.#socket.userId, this.#socket.caller(position)),
      this.#read(sinceMs, position),
    ]);
    this.#services.person(account.user_id).readsPrivate = account.reads_private;
    const { conversations, clockMs, seen } = found;
    this.#knownAll(found.ids, conversations);
    for (const { id } of conversations) this.#missedJoins.delete(id);
    const left = found.left.filter((id) => !this.#topics.has(id));
    const pages = pagesOf(conversations.toSorted(byActivity));
    const about = { user, position: this.#services.stream.position(seen, clockMs - this.#services.lagMs) };
    const first = { whole: sinceMs === undefined, heads: pages[0] ?? [], left, complete: pages.length <= 1 };
    await this.#socket.write(new Frame({ op: 'welcome', ...about, ...first, ping_ms: pingMs }));
    for (const [place, heads] of pages.slice(1).entries())
      await this.#socket.write(new Frame({ op: 'heads', heads, left: [], complete: place === pages.length - 2 }));
    return clockMs;
  }

  /** After `welcome`: tells what happened meanwhile. */
  begin(person: Person | undefined): void {
    this.#tellLeft();
    for (const frame of this.#missedJoins.values()) this.#socket.deliver(frame);
    for (const topic of this.#missedHeads) topic.tellAgain(this.#socket);
    person?.meChanged([...this.#missedMe]);
    for (const missed of [this.#missedJoins, this.#missedHeads, this.#missedMe]) missed.clear();
    if (this.#refreshMs === undefined) return;
    void this.#socket.refresh(this.#refreshMs).catch((error: unknown) => this.#socket.fail(error));
    this.#refreshMs = undefined;
  }

  /** Tells what has changed since then. */
  async refresh(sinceMs: number): Promise<void> {
    this.#tellLeft();
    const before = new Map([...this.#topics].map(([id, topic]) => [id, topic.heads.get(this.#socket) ?? 0]));
    const { ids, conversations, seen } = await this.#read(sinceMs, undefined);
    const now = new Set(ids);
    for (const [id, topic] of this.#topics) if (before.has(id) && !now.has(id)) this.#socket.leave(topic.id);
    this.#knownAll(
      ids.filter((id) => before.has(id)),
      conversations,
    );
    for (const conversation of conversations) await this.#tell(conversation, before.get(conversation.id), seen);
    this.#services.person(this.#socket.userId).meChanged(conversations.map(({ id }) => id));
  }

  /** `told` is undefined for a conversation that the client does not know. Newer heads may have been sent meanwhile. */
  async #tell(conversation: Conversation, told: number | undefined, seen: Position | undefined): Promise<void> {
    const topic = this.#topics.get(conversation.id);
    if (topic === undefined) return;
    const position = this.#socket.position(seen);
    if (told === undefined) {
      await this.#socket.write(new Frame({ op: 'joined', position, head: conversation }));
      this.#known(topic, conversation.seq);
    } else if (
      conversation.seq > told &&
      topic.heads.get(this.#socket) === conversation.seq &&
      !topic.open.has(this.#socket)
    )
      await this.#socket.write(new Frame({ op: 'head', position, ...headIn(conversation) }));
  }

  #knownAll(ids: readonly string[], conversations: readonly Conversation[]): void {
    const seqs = new Map(conversations.map(({ id, seq }) => [id, seq]));
    for (const id of ids) {
      const topic = this.#topics.get(id);
      if (topic !== undefined) this.#known(topic, seqs.get(id) ?? 0);
    }
  }

  /** Follows first, and reads then. `sinceMs` reaches back as far as a write can live. */
  async #read(sinceMs: number | undefined, position: Position | undefined): Promise<Heads> {
    const { heads, reachMs } = this.#services;
    const call = { userId: this.#socket.userId, sinceMs: sinceMs === undefined ? undefined : sinceMs - reachMs };
    const { ids, left, clockMs } = await heads.memberships(call, this.#socket.caller(position));
    const { position: later } = await this.follow(ids);
    const caller = this.#socket.caller(later);
    const found = await heads.heads({ ...call, ids }, caller);
    const conversations = found.filter(({ id }) => this.#topics.has(id));
    return { conversations, ids, left, clockMs, seen: caller.seen ?? caller.token };
  }

  /** The client knows the conversation, or will with the next frame. */
  #known(topic: Topic, seq: number): void {
    const told = topic.heads.get(this.#socket);
    if (told === undefined) return;
    if (Number.isFinite(told) && told >= seq) return;
    topic.heads.set(this.#socket, seq);
    if (!Number.isFinite(told)) topic.tellAgain(this.#socket);
  }

  #unfollow(topic: Topic): void {
    topic.heads.delete(this.#socket);
    this.#missedHeads.delete(topic);
    this.#missedJoins.delete(topic.id);
    this.#services.follows.remove([keyOf('id', topic.id)]);
    this.#services.release(topic);
  }

  #tellLeft(): void {
    for (const id of this.#left) {
      const frame = new Frame({ op: 'left', position: this.#socket.position(), conversation_id: id });
      if (!this.#socket.deliver(frame)) return;
      this.#left.delete(id);
    }
  }
}

function byActivity(one: Conversation, other: Conversation): number {
  return one.active_at < other.active_at ? 1 : -1;
}

function pagesOf(heads: readonly Conversation[]): Conversation[][] {
  const count = Math.ceil(heads.length / headsPerFrame);
  return Array.from({ length: count }, (_, page) => heads.slice(page * headsPerFrame, (page + 1) * headsPerFrame));
}
