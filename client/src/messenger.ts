import { noAnswer } from './api-error.ts';
import type { Conversation, Membership, Message, NewMessage, ServerFrame, SignIn, SignInAnswer, User } from './api.ts';
import { Calls, type CallFrame, type Done } from './calls.ts';
import { systemClock, type Clock } from './clock.ts';
import { Connection, type ConnectionState, type SocketConstructor } from './connection.ts';
import { Following } from './following.ts';
import { listenToNetwork } from './network.ts';
import { Outbox, type OutboxEntry } from './outbox.ts';
import { Seen } from './positions.ts';
import { Presences, type Presence } from './presence.ts';
import { ReadMarks } from './read-marks.ts';
import { Rest, type RestOptions } from './rest.ts';
import { MemoryStorage, type ClientStorage } from './storage.ts';
import { Store, type ConversationEvent, type Events } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import { randomId } from './random-id.ts';
import { Welcome } from './welcome.ts';

export interface MessengerOptions extends RestOptions {
  /** Default: the global one; Node 20 has none. */
  readonly WebSocket?: SocketConstructor;
  /** Where unsent messages are kept. Default: in memory. */
  readonly storage?: ClientStorage;
  readonly clock?: Clock;
  /** From 0 to 1, for the jitter of delays. */
  readonly random?: () => number;
  /** Ids of messages: UUIDs. */
  readonly newId?: () => string;
}

/** What the storage keeps beside the outbox. */
interface Kept {
  readonly position: string;
}

const keptKey = 'client';
const keepAfterMs = 1_000;

/**
 * A client of a Messenger server: a copy of what the person sees, kept up to date over a socket, and an outbox. Everything that it shows is as
 * new as anything that it has shown before.
 */
export class Messenger {
  /** The REST API; it shares the session and the consistency token with the socket. */
  readonly rest: Rest;
  readonly #options: { readonly storage: ClientStorage; readonly clock: Clock };
  readonly #subscriptions = new Subscriptions<Events>();
  readonly #store = new Store(this.#subscriptions);
  readonly #seen = new Seen();
  readonly #connection: Connection;
  readonly #calls: Calls;
  readonly #following: Following;
  readonly #outbox: Outbox;
  readonly #marks: ReadMarks;
  readonly #presences: Presences;
  #welcome: Welcome | undefined;
  /** Of the last frame: everything up to it was received, and the next connection gets what came later. */
  #since: string | undefined;
  #isReady = false;
  #loaded: Promise<void> | undefined;
  #isKeeping = false;
  #stopListening: () => void = () => undefined;

  constructor(options: MessengerOptions) {
    const { storage = new MemoryStorage(), clock = systemClock, random = Math.random, newId = randomId } = options;
    this.#options = { storage, clock };
    this.rest = new Rest(options, this.#seen);
    this.#seen.onChange = () => this.#keepSoon();
    this.#connection = new Connection({
      url: options.url,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      clock,
      random,
      hello: () => ({ op: 'hello', token: this.rest.token, since: this.#since }),
      onFrame: (frame) => this.#receive(frame),
      onState: (state) => this.#connectionIs(state),
    });
    const send = this.#connection.send.bind(this.#connection);
    const call = async (frame: CallFrame): Promise<Done> => this.call(frame);
    const isOnline = (): boolean => this.#isReady;
    const store = this.#store;
    this.#calls = new Calls({ clock, send });
    this.#marks = new ReadMarks({ store, clock, isOnline, call });
    this.#presences = new Presences({
      clock,
      send,
      onTyping: (id) => store.changed(id),
      onPresence: () => this.#subscriptions.emit('presence', undefined),
    });
    this.#following = new Following({
      store,
      clock,
      random,
      isOnline,
      call,
      close: (id) => void send({ op: 'close', conversation_id: id }),
      loadPage: async (id, limit, before) => this.#loadPage(id, limit, before),
      onNew: (id, event) => {
        this.#outbox.arrived(id, event.messages);
        store.changed(id, event);
      },
      reload: async (id) => {
        const head = await this.rest.call('read_conversation', { path: { conversation_id: id } });
        store.replace(head, this.#seen.newest ?? '');
      },
    });
    this.#outbox = new Outbox({
      storage,
      clock,
      random,
      newId,
      send: async ({ id, conversation_id, body, reply_to, thread_of }) =>
        call({ op: 'send', conversation_id, id, body, reply_to, thread_of }),
      isExpected: (id, number) => this.#following.has(id) && store.find(id)?.expects(number) === true,
      onChange: (id) => {
        store.changed(id);
        this.#subscriptions.emit('outbox', undefined);
      },
      onSent: ({ conversation_id: id }, { number = 0, position }) => {
        store.find(id)?.applyRead(number, position);
      },
    });
  }

  /** Opens a session; the client uses it from now on. */
  async signIn(body: SignIn): Promise<SignInAnswer> {
    const answer = await this.rest.call('create_session', { body });
    this.rest.token = answer.token;
    // Another account has other conversations.
    this.#since = undefined;
    return answer;
  }

  /** Connects, and stays connected. */
  start(): void {
    this.#stopListening();
    this.#stopListening = listenToNetwork(() => this.#connection.hint());
    this.#loaded ??= this.#load();
    void this.#loaded.then(() => this.#connection.start());
  }

  /** Ends the connection. What waits in the outbox stays in the storage. */
  stop(): void {
    this.#stopListening();
    this.#connection.stop();
  }

  get connection(): ConnectionState {
    return this.#connection.state;
  }

  /** The close code of a connection that has `ended`. */
  get endCode(): number | undefined {
    return this.#connection.endCode;
  }

  /** Resolves when the list of conversations is here. Rejects when the server refuses the session. */
  async online(): Promise<void> {
    // `start` connects when the storage is read.
    await this.#loaded;
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (this.#isReady) resolve();
        else if (this.connection !== 'ended') return;
        else reject(noAnswer('stopped', `The server has ended the connection with the code ${this.endCode}`));
        end();
      };
      const ends = [this.subscribe('connection', check), this.subscribe('conversations', check)];
      const end = (): void => {
        for (const one of ends) one();
      };
      check();
    });
  }

  /** The person of the session; undefined before the first connection. */
  get user(): User | undefined {
    return this.#store.user;
  }

  /** Calls the listener after each change of the topic; returns the function that ends it. */
  subscribe<Topic extends 'connection' | 'conversations' | 'outbox' | 'presence'>(
    topic: Topic,
    listener: (event: Events[Topic]) => void,
  ): () => void {
    return this.#subscriptions.add(topic, listener);
  }

  /** Keeps the messages of a conversation up to date until the returned function is called. */
  follow(conversationId: string, listener: (event: ConversationEvent) => void = () => undefined): () => void {
    const ends = [
      this.#subscriptions.add(`conversation:${conversationId}`, listener),
      this.#following.add(conversationId),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  get conversations(): readonly Conversation[] {
    return this.#store.list;
  }

  conversation(id: string): Conversation | undefined {
    return this.#store.find(id)?.view;
  }

  /** The messages that are loaded, without a hole, in their order. */
  messages(conversationId: string): readonly Message[] {
    return this.#store.find(conversationId)?.messages ?? [];
  }

  /** Those of the members who are known; `rest.pages('list_members')` has all. */
  members(conversationId: string): readonly Membership[] {
    return this.#store.find(conversationId)?.members ?? [];
  }

  /** Own messages that are not among `messages` yet. */
  unsent(conversationId: string): readonly OutboxEntry[] {
    return this.#outbox.of(conversationId);
  }

  typing(conversationId: string): readonly string[] {
    return this.#presences.typing(conversationId);
  }

  /** How far other members have read, by their ids. */
  readBy(conversationId: string): ReadonlyMap<string, number> {
    return this.#marks.others(conversationId);
  }

  presence(userId: string): Presence | undefined {
    return this.#presences.find(userId);
  }

  /** Loads older messages of a conversation. Resolves with whether there are more. */
  async loadOlder(conversationId: string): Promise<boolean> {
    return await this.#following.loadOlder(conversationId);
  }

  /** Queues a message. Resolves when a reload cannot lose it. */
  async send(conversationId: string, message: string | NewMessage): Promise<OutboxEntry> {
    return await this.#outbox.add(conversationId, typeof message === 'string' ? { body: message } : message);
  }

  async retry(messageId: string): Promise<void> {
    await this.#outbox.retry(messageId);
  }

  async discard(messageId: string): Promise<void> {
    await this.#outbox.discard(messageId);
  }

  /** Edits, deletes, reacts: needs a connection. Rejects with an `ApiError`. */
  async call(frame: CallFrame): Promise<Done> {
    const done = await this.#calls.make(frame);
    this.#seen.add(done.position);
    return done;
  }

  /** All messages up to this one are read. */
  read(conversationId: string, number: number): void {
    this.#marks.read(conversationId, number);
  }

  /** Call it on each key. */
  type(conversationId: string): void {
    this.#presences.type(conversationId);
  }

  /** Follows the presence of these people in place of those before. */
  look(userIds: readonly string[]): void {
    this.#presences.look(userIds);
  }

  away(isAway: boolean): void {
    this.#presences.away(isAway);
  }

  /** The direct conversation with a person; it is created if there is none. */
  async openDirect(userId: string): Promise<Conversation> {
    const head = await this.rest.call('open_direct_conversation', { path: { user_id: userId } });
    this.#appear(head, this.#seen.newest ?? '');
    return head;
  }

  #connectionIs(state: ConnectionState): void {
    if (state !== 'online' && this.#isReady) {
      this.#isReady = false;
      this.#following.disconnected();
      this.#outbox.offline();
      this.#presences.offline();
    }
    if (state !== 'online') this.#calls.failAll();
    this.#subscriptions.emit('connection', state);
  }

  #receive(frame: ServerFrame): void {
    if ('position' in frame && frame.position !== undefined) this.#sawPosition(frame.position);
    switch (frame.op) {
      case 'welcome':
        return this.#begin(frame);
      case 'heads':
        return this.#applyHeads(frame);
      case 'joined':
        this.#welcome?.joined(frame.head.id);
        return this.#appear(frame.head, frame.position);
      case 'left':
        this.#welcome?.left(frame.conversation_id);
        return this.#store.remove(frame.conversation_id);
      case 'changes':
        return this.#applyChanges(frame);
      case 'done':
        return this.#calls.done(frame);
      case 'refused':
        return this.#calls.refused(frame);
      default:
        this.#receiveState(frame);
    }
  }

  #receiveState(frame: ServerFrame): void {
    if (frame.op === 'head') this.#store.applyShortHead(frame);
    else if (frame.op === 'me') this.#store.applyOwn(frame);
    else if (frame.op === 'read') this.#marks.receive(frame);
    else if (frame.op === 'typing') this.#presences.receiveTyping(frame);
    else if (frame.op === 'presence') this.#presences.receivePresence(frame);
    else if (frame.op === 'slow_down') this.#outbox.pause(frame.after_ms);
  }

  #sawPosition(position: string): void {
    this.#seen.add(position);
    // The list is not complete before the end of the welcome.
    if (this.#isReady) this.#since = position;
  }

  #begin(frame: Extract<ServerFrame, { readonly op: 'welcome' }>): void {
    this.#store.user = frame.user;
    this.#welcome = new Welcome(this.#store, frame, this.#since);
    this.#connection.welcomed(frame.ping_ms);
    this.#applyHeads(frame);
  }

  #applyHeads(frame: Extract<ServerFrame, { readonly op: 'welcome' | 'heads' }>): void {
    if (this.#welcome === undefined) return;
    this.#welcome.apply(frame);
    if (!frame.complete) return;
    this.#welcome.complete();
    this.#since = this.#welcome.position;
    this.#welcome = undefined;
    this.#isReady = true;
    this.#following.openAll();
    this.#marks.online();
    this.#presences.online();
    this.#outbox.online(this.#store.user?.id ?? '');
    this.#subscriptions.emit('conversations', undefined);
  }

  #applyChanges(frame: Extract<ServerFrame, { readonly op: 'changes' }>): void {
    for (const { sender_id: sender } of frame.messages) this.#presences.endTyping(frame.conversation_id, sender);
    this.#following.receive(frame);
  }

  #appear(head: Conversation, position: string): void {
    this.#store.put(head, position);
    this.#following.open(head.id);
  }

  async #loadPage(id: string, limit: number, before: number | undefined): Promise<readonly Message[]> {
    const query = before === undefined ? { limit } : { limit, before };
    return await this.rest.call('list_messages', { path: { conversation_id: id }, query });
  }

  async #load(): Promise<void> {
    const kept = await this.#options.storage.get(keptKey).catch(() => undefined);
    if (isKept(kept)) this.#seen.add(kept.position);
    await this.#outbox.load().catch(() => undefined);
  }

  /** So that nothing is older after a reload, either. */
  #keepSoon(): void {
    const { storage, clock } = this.#options;
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    clock.setTimeout(() => {
      this.#isKeeping = false;
      const kept: Kept = { position: this.#seen.newest ?? '' };
      storage.put(keptKey, kept).catch(() => undefined);
    }, keepAfterMs);
  }
}

function isKept(value: unknown): value is Kept {
  return typeof value === 'object' && value !== null && 'position' in value && typeof value.position === 'string';
}
