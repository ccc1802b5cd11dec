import type { FeedRow } from '../feed/feed.ts';
import { Frame } from '../sockets/frame.ts';
import type { Coalesced } from './coalescer.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';

/** What the members of a conversation have read, for those who have it open. May be lost. */
export class Receipts implements Coalesced {
  flushedAtMs = 0;
  readonly #id: string;
  readonly #sockets: () => Iterable<SyncSocket>;
  readonly #services: SyncServices;
  readonly #waiting = new Map<string, number>();
  /** The last number of each member: other settings are in the same row. */
  readonly #told = new Map<string, number>();

  constructor(id: string, sockets: () => Iterable<SyncSocket>, services: SyncServices) {
    this.#id = id;
    this.#sockets = sockets;
    this.#services = services;
  }

  /** Rows of `members`. */
  add(rows: readonly FeedRow[]): void {
    for (const { kind, values } of rows) {
      const [userId, number] = [values['user_id'] ?? '', Number(values['read_number'])];
      if (kind === 'update' && number > (this.#told.get(userId) ?? 0)) this.#waiting.set(userId, number);
    }
    if (this.#waiting.size > 0) this.#services.coalescer.add(this);
  }

  flush(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [userId, number] of waiting) {
      this.#told.set(userId, number);
      void this.#tell(userId, number).catch(() => undefined);
    }
  }

  async #tell(userId: string, number: number): Promise<void> {
    const call = { conversationId: this.#id, userId };
    if (!(await this.#services.audience.receipts(call, this.#services.caller()))) return;
    const frame = new Frame({ op: 'read', conversation_id: this.#id, user_id: userId, number });
    for (const socket of this.#sockets())
      if (socket.userId !== userId && this.#services.findPerson(socket.userId)?.readsPrivate !== true)
        socket.deliverEphemeral(frame);
  }
}
