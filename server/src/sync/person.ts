import type { FeedRow } from '../feed/feed.ts';
import { AppError } from '../lib/app-error.ts';
import { Frame } from '../sockets/frame.ts';
import type { Coalesced } from './coalescer.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';

/** Somebody with sockets at this worker. */
export class Person implements Coalesced {
  readonly userId: string;
  /** It sees what nobody has read. */
  readsPrivate = false;
  readonly sockets = new Set<SyncSocket>();
  readonly #services: SyncServices;
  flushedAtMs = 0;
  /** Conversations whose `me` is to be read. */
  readonly #changed = new Set<string>();
  #isReading = false;
  /** Conversations that the person has become a member of, until the sockets are told. */
  readonly #joining = new Map<string, symbol>();

  constructor(userId: string, services: SyncServices) {
    this.userId = userId;
    this.#services = services;
  }

  get isUnused(): boolean {
    return this.sockets.size === 0;
  }

  /** A row of this person in `members`. */
  membership(row: FeedRow): void {
    const id = row.values['conversation_id'] ?? '';
    if (row.kind === 'delete' || row.values['left_at'] !== null) this.#leave(id);
    else if ([...this.sockets].every(({ own }) => own.has(id))) this.meChanged([id]);
    else this.#join(id);
  }

  /** What the person alone has in these conversations may have changed. */
  meChanged(ids: readonly string[]): void {
    if (ids.length === 0) return;
    for (const id of ids) this.#changed.add(id);
    this.#services.coalescer.add(this);
  }

  flush(): void {
    if (!this.#isReading) void this.#readChanged();
  }

  /** One read at a time: an older one must not be told last. */
  async #readChanged(): Promise<void> {
    this.#isReading = true;
    const ids = [...this.#changed];
    this.#changed.clear();
    const live = [...this.sockets].filter(({ isLive }) => isLive);
    for (const { own } of this.sockets) for (const id of ids) own.missedMe(id);
    try {
      await Promise.all(ids.map(async (id) => this.#tellMe(id, live)));
    } catch (error) {
      if (!(error instanceof AppError)) this.#services.failed(error);
      for (const id of ids) this.#changed.add(id);
    }
    this.#isReading = false;
    if (this.#changed.size > 0 && !this.isUnused) this.#services.coalescer.later(this);
  }

  async #tellMe(id: string, sockets: readonly SyncSocket[]): Promise<void> {
    const caller = this.#services.caller();
    try {
      const { me } = await this.#services.conversations.get(id, this.userId, caller);
      const position = this.#services.stream.position(caller.seen);
      const frame = new Frame({ op: 'me', position, conversation_id: id, me });
      for (const socket of sockets) if (socket.own.has(id)) socket.deliver(frame);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #leave(id: string): void {
    this.#joining.delete(id);
    for (const socket of this.sockets) socket.leave(id);
  }

  #join(id: string): void {
    const join = Symbol(id);
    this.#joining.set(id, join);
    void this.#finishJoin(id, join).catch((error: unknown) => {
      if (!(error instanceof AppError)) this.#services.failed(error);
      else if (!isNotFound(error) && this.#joining.get(id) === join)
        this.#services.retry(async () => this.#finishJoin(id, join));
    });
  }

  async #finishJoin(id: string, join: symbol): Promise<void> {
    if (this.#joining.get(id) !== join) return;
    const sockets = [...this.sockets];
    const followed = await Promise.all(sockets.map(async ({ own }) => own.follow([id])));
    const caller = this.#services.caller();
    const head = await this.#services.conversations.get(id, this.userId, caller);
    if (this.#joining.get(id) !== join) return;
    this.#joining.delete(id);
    const position = this.#services.stream.position(caller.seen);
    const frame = new Frame({ op: 'joined', position, head });
    for (const [place, { own }] of sockets.entries())
      if (followed[place]?.fresh.includes(id) === true) own.joined(head, frame);
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof AppError && error.code === 'conversation_not_found';
}
