import type { ApiError } from './api-error.ts';
import { toApiError } from './api-error.ts';
import type { Message, NewMessage, Problem } from './api.ts';
import type { Done } from './calls.ts';
import { backOffMs, type Clock } from './clock.ts';
import type { ClientStorage } from './storage.ts';

/** A message of this client that its conversation does not show yet. */
export interface OutboxEntry extends NewMessage {
  /** The id of the message: however often it is sent, it is stored once. */
  readonly id: string;
  readonly conversation_id: string;
  /** Its place in the queue of the conversation. */
  readonly key: string;
  readonly created_at: string;
  /** The account that wrote it; undefined until the first welcome. */
  readonly user_id?: string;
  /** `sending`: it will be sent, and repeated until there is an answer. `failed`: the server has refused it for good. */
  readonly state: 'sending' | 'sent' | 'failed';
  /** Why it failed. */
  readonly problem?: Problem;
  /** Of sent ones. */
  readonly number?: number;
}

export interface OutboxOptions {
  readonly storage: ClientStorage;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: () => string;
  readonly send: (entry: OutboxEntry) => Promise<Done>;
  /** Whether the message with this number will come, and is not here yet: until then, the entry shows it. */
  readonly isExpected: (conversationId: string, number: number) => boolean;
  readonly onChange: (conversationId: string) => void;
  readonly onSent: (entry: OutboxEntry, done: Done) => void;
}

type Outcome = 'next' | 'again' | 'offline';

const prefix = 'outbox/';
const retryBaseMs = 1_000;
const retryMaxMs = 30_000;
/** An internal error of the server may be due to this message: then it must not hold up the others for ever. */
const internalErrorsMax = 5;

/**
 * Messages to be sent: each exactly once, and those of a conversation in their order, over lost connections and reloads. Each message of a
 * conversation waits for the answer to the one before it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** By id, in the order of their keys. */
  #entries = new Map<string, OutboxEntry>();
  readonly #running = new Set<string>();
  readonly #waiting = new Set<() => void>();
  /** When the newest key was made. */
  #last = { ms: 0, count: 0 };
  #userId: string | undefined;
  #isOnline = false;
  #pausedUntil = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Of a conversation, in their order. */
  of(conversationId: string): readonly OutboxEntry[] {
    return this.#own().filter((entry) => entry.conversation_id === conversationId);
  }

  find(id: string): OutboxEntry | undefined {
    return this.#entries.get(id);
  }

  /** Reads what an earlier process, or another tab, has left. */
  async load(): Promise<void> {
    const stored = (await this.#options.storage.list(prefix)).filter(isEntry);
    for (const entry of stored) this.#adopt(entry);
  }

  /** Queues a message; it shows at once. Resolves when a reload cannot lose it any more; rejects if the storage fails, but sends it then, too. */
  async add(conversationId: string, message: NewMessage): Promise<OutboxEntry> {
    const { clock, newId } = this.#options;
    const id = newId();
    const entry: OutboxEntry = {
      ...message,
      id,
      conversation_id: conversationId,
      key: this.#newKey(conversationId, id),
      created_at: new Date(clock.now()).toISOString(),
      ...(this.#userId === undefined ? {} : { user_id: this.#userId }),
      state: 'sending',
    };
    this.#keep(entry);
    await this.#store(entry);
    return entry;
  }

  /** Sends a failed message again, after those that wait. */
  async retry(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'failed') return;
    const { problem: _, ...rest } = entry;
    this.#entries.delete(id);
    const again: OutboxEntry = { ...rest, state: 'sending', key: this.#newKey(entry.conversation_id, id) };
    this.#keep(again);
    await this.#store(again);
    await this.#options.storage.delete(entry.key);
  }

  /** Forgets a failed message. */
  async discard(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'failed') return;
    this.#forget(entry);
    await this.#options.storage.delete(entry.key);
  }

  /** Messages of a conversation have come: own ones among them are stored, whatever became of the answer to their sends. */
  arrived(conversationId: string, messages: readonly Message[]): void {
    if (this.#entries.size === 0) return;
    for (const { id } of messages) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      this.#forget(entry);
      if (entry.state !== 'sent') void this.#unstore(entry);
    }
    for (const entry of this.of(conversationId))
      if (entry.state === 'sent' && !this.#options.isExpected(conversationId, entry.number ?? 0)) this.#forget(entry);
  }

  /** A connection is ready: sends what waits. Entries of another account stay stored, and are not sent. */
  online(userId: string): void {
    this.#userId = userId;
    this.#isOnline = true;
    for (const entry of this.#entries.values())
      if (entry.user_id === undefined) this.#entries.set(entry.id, { ...entry, user_id: userId });
    if (this.#options.storage.exclusive === undefined) this.#runAll();
    else
      void this.load()
        .catch(() => undefined)
        .then(() => this.#runAll());
  }

  /** The server wants no frames for so long. */
  pause(ms: number): void {
    this.#pausedUntil = this.#options.clock.now() + ms;
  }

  offline(): void {
    this.#isOnline = false;
    for (const wake of this.#waiting) wake();
  }

  #runAll(): void {
    for (const { conversation_id: id } of this.#own()) void this.#run(id);
  }

  /** Sends the messages of a conversation one after the other. */
  async #run(conversationId: string): Promise<void> {
    if (this.#running.has(conversationId)) return;
    this.#running.add(conversationId);
    const { clock, random } = this.#options;
    let attempt = 1;
    while (this.#isOnline && this.#first(conversationId) !== undefined) {
      await this.#sleepUntil(this.#pausedUntil);
      const outcome = await this.#exclusive(conversationId, attempt);
      if (outcome === 'offline') break;
      if (outcome === 'again')
        await this.#sleepUntil(clock.now() + backOffMs(attempt, retryBaseMs, retryMaxMs, random));
      attempt = outcome === 'again' ? attempt + 1 : 1;
    }
    this.#running.delete(conversationId);
  }

  async #exclusive(conversationId: string, attempt: number): Promise<Outcome> {
    const { storage } = this.#options;
    if (storage.exclusive === undefined) return await this.#sendFirst(conversationId, attempt);
    return await storage.exclusive(`outbox/${conversationId}`, async () => {
      await this.#refresh(conversationId).catch(() => undefined);
      return await this.#sendFirst(conversationId, attempt);
    });
  }

  /** What other tabs have queued, and what they have sent. */
  async #refresh(conversationId: string): Promise<void> {
    const known = this.of(conversationId).filter(({ state }) => state === 'sending');
    const stored = (await this.#options.storage.list(`${prefix}${conversationId}/`)).filter(isEntry);
    const ids = new Set(stored.map(({ id }) => id));
    for (const entry of known) if (this.#stored.has(entry.id) && !ids.has(entry.id)) this.#forget(entry);
    for (const entry of stored) this.#adopt(entry);
  }

  async #sendFirst(conversationId: string, attempt: number): Promise<Outcome> {
    const entry = this.#first(conversationId);
    if (entry === undefined) return 'next';
    try {
      const done = await this.#options.send(entry);
      this.#options.onSent(entry, done);
      this.#sent(entry, done.number ?? 0);
      await this.#unstore(entry);
      return 'next';
    } catch (error) {
      return await this.#refused(entry, toApiError(error), attempt);
    }
  }

  #sent(entry: OutboxEntry, number: number): void {
    if (!this.#entries.has(entry.id)) return;
    if (!this.#options.isExpected(entry.conversation_id, number)) this.#forget(entry);
    else this.#replace({ ...entry, state: 'sent', number });
  }

  async #refused(entry: OutboxEntry, error: ApiError, attempt: number): Promise<Outcome> {
    if (error.code === 'connection_lost') return 'offline';
    const isHopeless = error.status === 500 && attempt >= internalErrorsMax;
    if ((error.isTransient && !isHopeless) || error.status === 401) return 'again';
    if (!this.#entries.has(entry.id)) return 'next';
    const failed: OutboxEntry = { ...entry, state: 'failed', ...(error.problem && { problem: error.problem }) };
    this.#replace(failed);
    await this.#options.storage.put(entry.key, failed).catch(() => undefined);
    return 'next';
  }

  /** Ends early when the connection is lost. */
  async #sleepUntil(time: number): Promise<void> {
    const { clock } = this.#options;
    const delayMs = time - clock.now();
    if (delayMs <= 0 || !this.#isOnline) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clock.clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = clock.setTimeout(wake, delayMs);
      this.#waiting.add(wake);
    });
  }

  /** Ids of entries that the storage has: one that disappears from there was sent by another tab. */
  readonly #stored = new Set<string>();

  async #store(entry: OutboxEntry): Promise<void> {
    try {
      await this.#options.storage.put(entry.key, entry);
      this.#stored.add(entry.id);
    } finally {
      if (this.#isOnline) void this.#run(entry.conversation_id);
    }
  }

  /** If this fails, the message is sent again after a reload, and the server answers with the stored one. */
  async #unstore({ id, key }: OutboxEntry): Promise<void> {
    this.#stored.delete(id);
    await this.#options.storage.delete(key).catch(() => undefined);
  }

  #first(conversationId: string): OutboxEntry | undefined {
    return this.#own().find((entry) => entry.conversation_id === conversationId && entry.state === 'sending');
  }

  #own(): readonly OutboxEntry[] {
    const isOwn = ({ user_id: id }: OutboxEntry): boolean =>
      id === undefined || this.#userId === undefined || id === this.#userId;
    return [...this.#entries.values()].filter(isOwn);
  }

  /** An entry that the storage has. */
  #adopt(entry: OutboxEntry): void {
    const time = timeOf(entry);
    if (time.ms > this.#last.ms || (time.ms === this.#last.ms && time.count > this.#last.count)) this.#last = time;
    this.#stored.add(entry.id);
    this.#keep(entry);
  }

  #keep(entry: OutboxEntry): void {
    if (this.#entries.get(entry.id)?.key === entry.key) return;
    const entries = [...this.#entries.values(), entry];
    this.#entries = new Map(entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map((one) => [one.id, one]));
    this.#options.onChange(entry.conversation_id);
  }

  #replace(entry: OutboxEntry): void {
    this.#entries.set(entry.id, entry);
    this.#options.onChange(entry.conversation_id);
  }

  #forget(entry: OutboxEntry): void {
    if (this.#entries.delete(entry.id)) this.#options.onChange(entry.conversation_id);
  }

  /** Sorts after all keys before it, also those of an earlier process. */
  #newKey(conversationId: string, id: string): string {
    const now = this.#options.clock.now();
    this.#last = now > this.#last.ms ? { ms: now, count: 0 } : { ms: this.#last.ms, count: this.#last.count + 1 };
    const { ms, count } = this.#last;
    return `${prefix}${conversationId}/${String(ms).padStart(15, '0')}/${String(count).padStart(6, '0')}/${id}`;
  }
}

/** The two parts of a key that say when it was made. */
function timeOf({ key }: OutboxEntry): { readonly ms: number; readonly count: number } {
  const [, , ms, count] = key.split('/');
  return { ms: Number(ms), count: Number(count) };
}

function isEntry(value: unknown): value is OutboxEntry {
  return typeof value === 'object' && value !== null && 'key' in value && 'body' in value && 'state' in value;
}
