import { toApiError } from './api-error.ts';
import type { Changes, Membership, Message } from './api.ts';
import type { CallFrame, Done } from './calls.ts';
import { backOffMs, type Clock } from './clock.ts';
import type { ConversationState } from './conversation-state.ts';
import type { Store } from './store.ts';

interface FollowingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly isOnline: () => boolean;
  readonly call: (call: CallFrame) => Promise<Done>;
  readonly close: (conversationId: string) => void;
  /** Messages before a number, or the newest: at least as new as everything that this client has seen. */
  readonly loadPage: (conversationId: string, limit: number, before: number | undefined) => Promise<readonly Message[]>;
  /** What is new here, from the socket or from a page. */
  readonly onNew: (
    conversationId: string,
    event: { messages: readonly Message[]; members: readonly Membership[] },
  ) => void;
  /** Loads the head of a conversation again. */
  readonly reload: (conversationId: string) => Promise<void>;
}

/** A conversation with at most so many changes is loaded as a whole, and its members with it. */
const wholeMax = 200;
/** After more changes than this, the newest page is cheaper than all changes. */
const catchUpMax = 2_000;
const pageSize = 50;
const retryBaseMs = 1_000;
const retryMaxMs = 30_000;

/** Follows conversations: opens them, checks that no change is missing, and loads their history. */
export class Following {
  readonly #options: FollowingOptions;
  /** How often each conversation is followed. */
  readonly #followed = new Map<string, number>();
  /** Conversations whose `open` is not answered. */
  readonly #opening = new Set<string>();
  readonly #pages = new Map<string, Promise<boolean>>();
  /** Changes that came after a hole; each was healed by opening again. */
  gaps = 0;

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  has(id: string): boolean {
    return this.#followed.has(id);
  }

  /** Returns the function that ends it. */
  add(id: string): () => void {
    this.#followed.set(id, (this.#followed.get(id) ?? 0) + 1);
    if (this.#followed.get(id) === 1) this.open(id);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#drop(id);
    };
  }

  /** Call it when a connection is ready, and when a conversation appears. */
  open(id: string): void {
    const state = this.#options.store.find(id);
    if (state === undefined || !this.has(id) || this.#opening.has(id) || !this.#options.isOnline()) return;
    const after = startOf(state);
    state.followed = after;
    if (after === 0) state.first = 1;
    else if (state.first === undefined) void this.#loadNewest(state, 1);
    this.#opening.add(id);
    void this.#open(id, after, 1);
  }

  openAll(): void {
    for (const id of this.#followed.keys()) this.open(id);
  }

  disconnected(): void {
    this.#opening.clear();
  }

  /** Changes of an open conversation. Those that are known already are ignored; after a hole, it is opened again. */
  receive(changes: Changes): void {
    const { conversation_id: id, from, to } = changes;
    const state = this.#options.store.find(id);
    if (state?.followed === undefined || !this.has(id)) return;
    if (from > state.followed) {
      this.gaps += 1;
      this.open(id);
      return;
    }
    if (to <= state.followed) return;
    this.#options.onNew(id, state.applyChanges(changes));
  }

  /** Loads a page before the first message that is here. Resolves with whether there are more. */
  async loadOlder(id: string): Promise<boolean> {
    const state = this.#options.store.find(id);
    if (state === undefined || state.first === 1) return false;
    const running = this.#pages.get(id) ?? this.#loadPage(state).finally(() => this.#pages.delete(id));
    this.#pages.set(id, running);
    return await running;
  }

  async #open(id: string, after: number, attempt: number): Promise<void> {
    try {
      await this.#options.call({ op: 'open', conversation_id: id, after });
      this.#opening.delete(id);
    } catch (error) {
      this.#opening.delete(id);
      const { code, isTransient } = toApiError(error);
      if (!this.has(id) || !this.#options.isOnline()) return;
      if (code === 'unknown_position') await this.#startAgain(id);
      else if (isTransient) this.#later(attempt, () => this.open(id));
    }
  }

  /** The server has fewer changes than this client: a backup was restored, or a failover lost the last moments. */
  async #startAgain(id: string): Promise<void> {
    this.#options.store.find(id)?.reset();
    await this.#options.reload(id).catch(() => undefined);
    this.open(id);
  }

  async #loadNewest(state: ConversationState, attempt: number): Promise<void> {
    try {
      await this.loadOlder(state.id);
    } catch (error) {
      const isWanted = this.has(state.id) && state.first === undefined && this.#options.isOnline();
      if (isWanted && toApiError(error).isTransient)
        this.#later(attempt, () => void this.#loadNewest(state, attempt + 1));
    }
  }

  async #loadPage(state: ConversationState): Promise<boolean> {
    const { epoch } = state;
    const page = await this.#options.loadPage(state.id, pageSize, state.first);
    if (state.epoch === epoch && this.#options.store.find(state.id) === state)
      this.#options.onNew(state.id, { messages: state.mergePage(page, pageSize), members: [] });
    return state.first !== 1;
  }

  #drop(id: string): void {
    const count = (this.#followed.get(id) ?? 0) - 1;
    if (count > 0) this.#followed.set(id, count);
    else {
      this.#followed.delete(id);
      this.#opening.delete(id);
      this.#options.close(id);
    }
  }

  #later(attempt: number, task: () => void): void {
    const { clock, random } = this.#options;
    clock.setTimeout(task, backOffMs(attempt, retryBaseMs, retryMaxMs, random));
  }
}

/** The `after` of an `open`. A client that is far behind starts anew. */
function startOf(state: ConversationState): number {
  if (state.followed !== undefined && state.seq - state.followed > catchUpMax) state.reset();
  if (state.followed !== undefined) return state.followed;
  return state.seq <= wholeMax ? 0 : state.seq;
}
