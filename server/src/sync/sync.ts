import { setTimeout as sleep } from 'node:timers/promises';

import type { Caller } from '../db/caller.ts';
import type { Position } from '../db/position.ts';
import type { FeedCommit, FeedLink, FeedListener, FeedRow } from '../feed/feed.ts';
import type { Clock } from '../lib/clock.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import { Quotas } from '../lib/quotas.ts';
import { SyncFigures } from '../telemetry/sync-figures.ts';
import type { Socket, SocketHandler } from '../sockets/socket.ts';
import { Coalescer } from './coalescer.ts';
import type { AudienceReader } from './audience-reader.ts';
import { ephemeralPrefix, type Emitter, type Ephemeral } from './ephemeral.ts';
import { Follows } from './follows.ts';
import type { HeadsReader } from './heads-reader.ts';
import { Person } from './person.ts';
import { Presence } from './presence.ts';
import type { Domains, Rules, SyncServices } from './services.ts';
import { Stream } from './stream.ts';
import { SyncSocket } from './sync-socket.ts';
import { Topic } from './topic.ts';

export interface SyncOptions extends Domains {
  /** Connects to the feed. */
  readonly connect: (listener: FeedListener) => FeedLink;
  readonly rules: Rules;
  readonly heads: HeadsReader;
  readonly audience: AudienceReader;
  readonly emitter: Emitter;
  /** Unique among the workers of all nodes. */
  readonly workerId: string;
  readonly clock: Clock;
  readonly reachMs: number;
  readonly lagMs: number;
  readonly failed: (error: unknown) => void;
  /** Drops the cached sessions of an account. */
  readonly forgetSessions: (userId: string) => void;
}

const retryMs = 200;
/** Of one person in one conversation. */
const typingMs = 3_000;
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
  readonly figures = new SyncFigures();

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#link = options.connect(this);
    const stream = new Stream();
    const typists = new Quotas(1, typingMs, options.clock);
    this.#services = {
      ...options,
      stream,
      figures: this.figures,
      follows: new Follows(this.#link, () => stream.delivered),
      coalescer: new Coalescer(options.clock),
      topic: (id) => this.#findOrAdd(this.#topics, id, () => new Topic(id, this.#services)),
      mayType: (id, userId) => !typists.take(`${id} ${userId}`).isExceeded,
      get presence() {
        return presence;
      },
      findPerson: (id) => this.#people.get(id),
      person: (id) => this.#findOrAdd(this.#people, id, () => new Person(id, this.#services)),
      release: (unused) => this.#release(unused),
      caller: () => this.#caller(),
      retry: (run) => void this.#retry(run),
    };
    const presence = new Presence(this.#services, options.audience, options.emitter, options.workerId);
    void this.#link.follow(`user_id:${everyone}`);
  }

  readonly open = (socket: Socket): SocketHandler => new SyncSocket(socket, this.#services);

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#lifetime.abort(new Error('the worker stops'));
    this.#services.coalescer.close();
    this.#services.presence.close();
    await this.#link.close();
  }

  /** The person is no member any more; without a user, nobody is: nothing of the conversation is sent. */
  left(conversationId: string, userId: string): void {
    if (userId === '') this.#topics.get(conversationId)?.end();
    for (const socket of this.#people.get(userId)?.sockets ?? []) socket.leave(conversationId);
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
    const { deliveries } = this.figures;
    for (const [topic, mine] of byTopic) topic.commit(mine);
    if (this.figures.deliveries > deliveries) this.figures.delayed(Date.now() - committedAtMs);
  }

  onMessage(prefix: string, content: string): void {
    if (prefix !== ephemeralPrefix) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Workers of one release write it.
    const message = JSON.parse(content) as Ephemeral;
    if (message.kind === 'typing') this.#topics.get(message.conversation_id)?.typing(message);
    else this.#services.presence.hear(message);
  }

  /** Everything that may have been missed is read. */
  onGap(since: Position): void {
    this.figures.gaps += 1;
    const { stream } = this.#services;
    stream.resume(since);
    const sinceMs = stream.timeMs;
    const release = stream.hold(sinceMs);
    for (const { sockets } of this.#people.values()) for (const socket of sockets) socket.verify();
    void Promise.all([...this.#topics.values()].map(async (topic) => topic.heal())).then(release);
  }

  #tellPerson({ table, kind, values }: FeedRow): void {
    const userId = values['user_id'] ?? '';
    if (table === 'mentions') return this.#mentioned(userId, values['conversation_id'] ?? '');
    const person = this.#people.get(userId);
    if (person === undefined) return;
    if (table === 'members') person.membership({ table, kind, values });
    if (table === 'accounts') person.readsPrivate = values['reads_private'] === 't';
    if ((table === 'sessions' || table === 'accounts') && kind !== 'insert') {
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
    if (one instanceof Topic && this.#topics.get(one.id) === one) this.#topics.delete(one.id);
    if (one instanceof Person && this.#people.get(one.userId) === one) this.#people.delete(one.userId);
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
