import type { Presence as State } from '@messenger/protocol/frames';

import { keyOf } from '../feed/feed.ts';
import { Frame } from '../sockets/frame.ts';
import type { AudienceReader, Seen } from './audience-reader.ts';
import type { Emitter, Ephemeral, WorkerState } from './ephemeral.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';

/** How often people who are looked at are asked for; they answer and tell changes for so long. */
const askMs = 15_000;
const answeredMs = 3 * askMs;
/** Without an answer for so long, a worker has died. */
const lostMs = 3 * askMs;
/** How long the first answers may take. */
const firstMs = 1_500;

interface WatchedPerson {
  readonly sockets: Set<SyncSocket>;
  readonly workers: Map<string, { readonly state: WorkerState; readonly atMs: number }>;
  lastSeenAt: string | null;
  told: State | undefined;
}

/**
 * Who is there, for those who look. Nothing is stored: a worker asks the workers that have sockets of the people its clients look at, and these
 * answer for a while. Who is not looked at costs nothing.
 */
export class Presence {
  readonly #services: SyncServices;
  readonly #audience: Pick<AudienceReader, 'seen'>;
  readonly #emitter: Pick<Emitter, 'emit'>;
  readonly #worker: string;
  readonly #watched = new Map<string, WatchedPerson>();
  readonly #looking = new Map<SyncSocket, readonly string[]>();
  /** People with sockets here who are looked at, and until when; and what was told last. */
  readonly #askedFor = new Map<string, { untilMs: number; told: WorkerState }>();
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;

  /** `worker` is unique among all workers of all nodes. */
  constructor(
    services: SyncServices,
    audience: Pick<AudienceReader, 'seen'>,
    emitter: Pick<Emitter, 'emit'>,
    worker: string,
  ) {
    this.#services = services;
    this.#audience = audience;
    this.#emitter = emitter;
    this.#worker = worker;
    this.#timer = setInterval(() => this.#tick(), firstMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Follows these people for a socket, in place of those before. */
  async look(socket: SyncSocket, userIds: readonly string[]): Promise<void> {
    this.stop(socket);
    const ids = [...new Set(userIds.map((id) => id.toLowerCase()))];
    this.#looking.set(socket, ids);
    const seen =
      ids.length === 0 ? [] : await this.#audience.seen({ me: socket.userId, userIds: ids }, socket.caller());
    if (socket.hasEnded || this.#looking.get(socket) !== ids) return;
    for (const one of seen) this.#watch(socket, one);
    await this.#services.follows.add(seen.map(({ userId }) => keyOf('presence', userId)));
    for (const { userId } of seen) this.#ask(userId);
    const known = seen.flatMap(({ userId }) => this.#watched.get(userId)?.told ?? []);
    if (known.length > 0) socket.deliverEphemeral(new Frame({ op: 'presence', people: known }));
  }

  /** Of a socket that has ended, or looks at others. */
  stop(socket: SyncSocket): void {
    const ids = this.#looking.get(socket) ?? [];
    this.#looking.delete(socket);
    for (const id of ids) {
      const watched = this.#watched.get(id);
      if (watched?.sockets.delete(socket) !== true) continue;
      this.#services.follows.remove([keyOf('presence', id)]);
      if (watched.sockets.size === 0) this.#watched.delete(id);
    }
  }

  /** The sockets of a person at this worker, or whether it is away, may have changed. */
  changed(userId: string): void {
    const asked = this.#askedFor.get(userId);
    if (asked === undefined) return;
    const state = this.#stateHere(userId);
    const isOver = this.#services.clock.now() > asked.untilMs;
    if (isOver) this.#askedFor.delete(userId);
    else if (state !== asked.told) this.#answer(userId);
  }

  hear(message: Extract<Ephemeral, { kind: 'ask' | 'presence' }>): void {
    if (message.kind === 'ask') {
      if (this.#stateHere(message.user_id) !== 'offline') this.#answer(message.user_id);
      return;
    }
    const watched = this.#watched.get(message.user_id);
    if (watched === undefined) return;
    const { worker, state } = message;
    if (state === 'offline') watched.workers.delete(worker);
    else watched.workers.set(worker, { state, atMs: this.#services.clock.now() });
    if (state === 'offline' && watched.workers.size === 0) watched.lastSeenAt = microseconds(Date.now());
    this.#tell(message.user_id, watched);
  }

  #watch(socket: SyncSocket, { userId, lastSeenAt }: Seen): void {
    const watched = this.#watched.get(userId);
    if (watched === undefined)
      this.#watched.set(userId, { sockets: new Set([socket]), workers: new Map(), lastSeenAt, told: undefined });
    else watched.sockets.add(socket);
  }

  #ask(userId: string): void {
    this.#emitter.emit({ key: keyOf('user_id', userId), kind: 'ask', user_id: userId });
  }

  #answer(userId: string): void {
    const state = this.#stateHere(userId);
    this.#askedFor.set(userId, { untilMs: this.#services.clock.now() + answeredMs, told: state });
    this.#emitter.emit({
      key: keyOf('presence', userId),
      kind: 'presence',
      user_id: userId,
      worker: this.#worker,
      state,
    });
  }

  #stateHere(userId: string): WorkerState {
    const sockets = [...(this.#services.findPerson(userId)?.sockets ?? [])];
    if (sockets.length === 0) return 'offline';
    return sockets.every(({ isAway }) => isAway) ? 'away' : 'online';
  }

  #tell(userId: string, watched: WatchedPerson): void {
    const states = new Set([...watched.workers.values()].map(({ state }) => state));
    const state = states.has('online') ? 'online' : states.has('away') ? 'away' : 'offline';
    const { told, lastSeenAt } = watched;
    if (told?.state === state) return;
    watched.told = { user_id: userId, state, last_seen_at: state === 'offline' ? lastSeenAt : null };
    const frame = new Frame({ op: 'presence', people: [watched.told] });
    for (const socket of watched.sockets) socket.deliverEphemeral(frame);
  }

  #tick(): void {
    this.#ticks += 1;
    const nowMs = this.#services.clock.now();
    for (const [userId, { untilMs }] of this.#askedFor) if (untilMs < nowMs) this.#askedFor.delete(userId);
    for (const [userId, watched] of this.#watched) {
      for (const [worker, { atMs }] of watched.workers) if (nowMs - atMs > lostMs) watched.workers.delete(worker);
      this.#tell(userId, watched);
    }
    if (this.#ticks % (askMs / firstMs) === 0) this.#askAgain();
  }

  /** People may have left the last conversation that they share, or blocked who looks. */
  #askAgain(): void {
    for (const [socket, ids] of this.#looking) void this.#checkAgain(socket, ids).catch(() => undefined);
    for (const userId of this.#watched.keys()) this.#ask(userId);
  }

  async #checkAgain(socket: SyncSocket, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const seen = await this.#audience.seen({ me: socket.userId, userIds: ids }, socket.caller());
    if (this.#looking.get(socket) !== ids) return;
    const allowed = new Set(seen.map(({ userId }) => userId));
    const watchedNow = ids.filter((id) => this.#watched.get(id)?.sockets.has(socket) === true);
    if (watchedNow.some((id) => !allowed.has(id)) || allowed.size > watchedNow.length) await this.look(socket, ids);
  }
}

function microseconds(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '000Z');
}
