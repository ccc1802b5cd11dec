import { setTimeout as sleep } from 'node:timers/promises';

import type { Caller } from '../db/caller.ts';
import type { Position } from '../db/position.ts';
import type { FeedCommit, FeedLink, FeedListener, FeedRow } from '../feed/feed.ts';
import type { Clock } from '../lib/clock.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import type { Socket, SocketHandler } from '../sockets/socket.ts';
import { Coalescer } from './coalescer.ts';
import { Follows } from './follows.ts';
import type { HeadsReader } from './heads-reader.ts';
import { Person } from './person.ts';
import type { Domains, Rules, SyncCounts, SyncServices } from './services.ts';
import { Stream } from './stream.ts';
import { SyncSocket } from './sync-socket.ts';
import { Topic } from './topic.ts';

export interface SyncOptions extends Domains {
  /** Connects to the feed. */
  readonly connect: (listener: FeedListener) => FeedLink;
  readonly rules: Rules;
  readonly heads: HeadsReader;
  readonly clock: Clock;
  readonly reachMs: number;
  readonly lagMs: number;
  readonly failed: (error: unknown) => void;
  /** Drops the cached sessions of an account. */
  readonly forgetSessions: (userId: string) => void;
}

const retryMs = 200;
/** In `mentions`, the user that stands for all members. */
const everyone = '00000000-0000-0000-0000-000000000000';

/** The sockets of a worker: what they are told of commits, and what they say. Reasons: docs/decisions/0082-sync.md. */
export class Sync implements FeedListener {
  readonly #options: SyncOptions;
  readonly #services: SyncServices;
  readonly #link: FeedLink;
  readonly #topics = new Map<string, Topic>();
  readonly #people = new Map<string, Person>();
  readonly #stopping = new AbortController();
  readonly #lifetime = new LightLifetime();
  readonly counts: SyncCounts = { frames: {}, healed: 0, caughtUp: 0, gaps: 0 };

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#link = options.connect(this);
    const stream = new Stream();
    this.#services = {
      ...options,
      stream,
      counts: this.counts,
      follows: new Follows(this.#link, () => stream.delivered),
      coalescer: new Coalescer(options.clock),
      topic: (id) => this.#findOrAdd(this.#topics, id, () => new Topic(id, this.#services)),
      person: (id) => this.#findOrAdd(this.#people, id, () => new Person(id, this.#services)),
      release: (unused) => this.#release(unused),
      caller: () => this.#caller(),
      retry: (run) => void this.#retry(run),
    };
    void this.#link.follow(`user_id:${everyone}`);
  }

  readonly open = (socket: Socket): SocketHandler => new SyncSocket(socket, this.#services);

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#lifetime.abort(new Error('the worker stops'));
    this.#services.coalescer.close();
    await this.#link.close();
  }

  /** The account or its sessions have changed: nothing is sent to its sockets until their sessions are verified. */
  forget(userId: string): void {
    for (const socket of this.#people.get(userId)?.sockets ?? []) socket.verify();
  }

  onCommit({ position, committedAtMs, rows }: FeedCommit): void {
    this.#services.stream.advance(position, committedAtMs);
    const byTopic = new Map<Topic, FeedRow[]>();
    for (const row of rows) {
      this.#tellPerson(row);
      const id = row.table === 'conversations' ? row.values['id'] : row.values['conversation_id'];
      const topic = this.#topics.get(id ?? '');
      if (topic === undefined) continue;
      const mine = byTopic.get(topic);
      if (mine === undefined) byTopic.set(topic, [row]);
      else mine.push(row);
    }
    for (const [topic, mine] of byTopic) topic.commit(mine);
  }

  onMessage(): void {
    // Typing and presence.
  }

  /** Everything that may have been missed is read. */
  onGap(since: Position): void {
    this.counts.gaps += 1;
    const { stream } = this.#services;
    stream.resume(since);
    const sinceMs = stream.timeMs;
    const release = stream.hold(sinceMs);
    const healed = [...this.#topics.values()].map(async (topic) => topic.heal());
    const refreshed = [...this.#people.values()].flatMap(({ sockets }) =>
      [...sockets].map(async (socket) => {
        socket.verify();
        return this.#refresh(socket, sinceMs);
      }),
    );
    void Promise.all([...healed, ...refreshed]).then(release);
  }

  async #refresh(socket: SyncSocket, sinceMs: number): Promise<void> {
    try {
      await socket.refresh(sinceMs);
    } catch {
      socket.end('unavailable');
    }
  }

  #tellPerson({ table, kind, values }: FeedRow): void {
    const userId = values['user_id'] ?? '';
    if (table === 'mentions') return this.#mentioned(userId, values['conversation_id'] ?? '');
    const person = this.#people.get(userId);
    if (person === undefined) return;
    if (table === 'members') person.membership({ table, kind, values });
    else if ((table === 'sessions' || table === 'accounts') && kind !== 'insert') {
      this.#options.forgetSessions(userId);
      this.forget(userId);
    }
  }

  #mentioned(userId: string, conversationId: string): void {
    if (userId !== everyone) return this.#people.get(userId)?.meChanged([conversationId]);
    const sockets = this.#topics.get(conversationId)?.heads.keys() ?? [];
    for (const person of new Set([...sockets].map((socket) => this.#people.get(socket.userId))))
      person?.meChanged([conversationId]);
  }

  #findOrAdd<One>(all: Map<string, One>, id: string, create: () => One): One {
    let one = all.get(id);
    if (one === undefined) all.set(id, (one = create()));
    return one;
  }

  #release(one: Topic | Person): void {
    if (!one.isUnused) return;
    if (one instanceof Topic) this.#topics.delete(one.id);
    else this.#people.delete(one.userId);
  }

  #caller(): Caller {
    return { lifetime: this.#lifetime, token: this.#services.stream.delivered, seen: undefined };
  }

  async #retry(run: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    await sleep(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await run().catch((error: unknown) => this.#options.failed(error));
  }
}
