import type { CloseCode } from '@messenger/protocol/close-codes';
import type { ClientFrame, ClientFrames, ServerFrame } from '@messenger/protocol/frames';

import type { Caller } from '../db/caller.ts';
import { latest, type Position } from '../db/position.ts';
import { keyOf } from '../feed/feed.ts';
import { AppError } from '../lib/app-error.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { Frame } from '../sockets/frame.ts';
import type { Socket, SocketHandler } from '../sockets/socket.ts';
import { answer } from './calls.ts';
import { OpenConversations } from './open-conversations.ts';
import { OwnConversations } from './own-conversations.ts';
import type { Person } from './person.ts';
import type { SyncServices } from './services.ts';
import { decodeStreamPosition } from './stream-position.ts';

/** A reader that takes longer to be caught up is closed: it holds back the positions of others. */
const catchUpMs = 60_000;

type State = 'new' | 'welcoming' | 'live' | 'ended';

/** One client: its session, what it says, and whether it takes what it is told. */
export class SyncSocket implements SocketHandler {
  readonly opened: OpenConversations;
  readonly own: OwnConversations;
  /** The person does something else. */
  isAway = false;
  readonly #socket: Socket;
  readonly #services: SyncServices;
  readonly #lifetime = new LightLifetime();
  #state: State = 'new';
  /** Frames that came before `welcome` was sent. */
  #early: object[] = [];
  #token = '';
  #account: SignedIn | undefined;
  #person: Person | undefined;
  /** A change could not be sent: the time before which nothing is missing. */
  #behindMs: number | undefined;
  #isCatchingUp = false;
  /** While the session is verified, nothing is sent. */
  #held: Promise<void> | undefined;
  #drained = Promise.withResolvers<void>();
  /** Everything before it was in `welcome`. */
  #welcomeMs = 0;

  constructor(socket: Socket, services: SyncServices) {
    this.#socket = socket;
    this.#services = services;
    this.opened = new OpenConversations(this, services);
    this.own = new OwnConversations(this, services);
  }

  get userId(): string {
    return this.#account?.userId ?? '';
  }

  get account(): SignedIn {
    if (this.#account === undefined) throw new AppError('unauthenticated');
    return this.#account;
  }

  get state(): State {
    return this.#state;
  }

  /** Whether it takes changes now. */
  get isLive(): boolean {
    return this.#state === 'live' && this.#behindMs === undefined && this.#held === undefined;
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  onFrame(frame: object): void {
    if (this.hasEnded) return;
    if (this.#held !== undefined) return void this.#held.then(() => this.onFrame(frame));
    const { figures, rules } = this.#services;
    const op = 'op' in frame && typeof frame.op === 'string' ? frame.op : '';
    const errors = rules.check(op, frame);
    figures.heard(errors === undefined ? 'unknown' : op);
    const ref = refOf(frame);
    if (errors === undefined || (errors.length > 0 && ref === undefined)) return this.end('invalid_frame');
    if ((op === 'hello') !== (this.#state === 'new')) return this.end('unexpected_frame');
    if (errors.length > 0) return this.refuse(op, ref ?? '', new AppError('invalid_request', { errors }));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was checked.
    this.#hear(frame as ClientFrame);
  }

  onDrained(): void {
    this.#drained.resolve();
    this.#drained = Promise.withResolvers();
    if (this.#held === undefined) void this.#catchUp();
  }

  onClose(): void {
    if (this.hasEnded) return;
    this.#state = 'ended';
    this.#lifetime.abort(new Error('the socket has ended'));
    this.#drained.resolve();
    this.opened.closeAll();
    this.own.unfollowAll();
    if (this.#person === undefined) return;
    this.#person.sockets.delete(this);
    this.#services.presence.stop(this);
    this.#services.presence.changed(this.userId);
    this.#services.follows.remove([keyOf('user_id', this.userId)]);
    this.#services.release(this.#person);
  }

  end(code: CloseCode): void {
    if (this.hasEnded) return;
    this.#socket.end(code);
    this.onClose();
  }

  /** Whose reads cover every commit that was delivered, and this position. */
  caller(position?: Position, requestId?: string): Caller {
    const { delivered } = this.#services.stream;
    const token = position === undefined ? delivered : latest(delivered, position);
    const about = requestId === undefined ? {} : { requestId };
    return { ...about, lifetime: this.#lifetime, token, seen: undefined };
  }

  /** An answer to a frame of the client. */
  answer(frame: ServerFrame): void {
    if (this.#held !== undefined) return void this.#held.then(() => this.answer(frame));
    if (!this.hasEnded) this.#socket.send(new Frame(frame), 'answer');
  }

  refuse(op: string, ref: string, error: unknown): void {
    const { rules } = this.#services;
    const requestId = rules.newRequestId();
    this.answer({ op: 'refused', ref, problem: rules.problemOf(error, { op, requestId }) });
  }

  /** A change. Returns false when it was not taken: the socket is caught up later. */
  deliver(frame: Frame): boolean {
    if (this.#state !== 'live' || this.#behindMs !== undefined) return false;
    if (this.#held === undefined && this.#socket.send(frame, 'durable') === 'sent') {
      this.#services.figures.deliveries += 1;
      return true;
    }
    this.#behindMs = this.#heldMs;
    return false;
  }

  /** What may be lost. */
  deliverEphemeral(frame: Frame): void {
    if (this.isLive) this.#socket.send(frame, 'ephemeral');
  }

  /** Waits while too much is unsent. */
  async write(frame: Frame): Promise<void> {
    for (;;) {
      await this.#held;
      if (this.hasEnded || this.#socket.send(frame, 'durable') !== 'behind') return;
      await this.#drained.promise;
    }
  }

  /** For a frame: what the client holds with it. `seen`: of the data in it. */
  position(seen?: Position): string {
    const isCurrent = this.#behindMs === undefined && !this.#isCatchingUp;
    return this.#services.stream.position(seen, isCurrent ? this.#welcomeMs : 0);
  }

  /** Nothing before it is missing, in milliseconds since 1970. */
  get #heldMs(): number {
    return Math.max(this.#welcomeMs, this.#services.stream.timeMs);
  }

  /** The person is no member any more, or the conversation is deleted. */
  leave(conversationId: string): void {
    // In this order: the end of an open conversation tells its head to those who still follow it.
    this.own.leave(conversationId);
    this.opened.close(conversationId);
  }

  /** Something about the account or its sessions has changed: sends nothing until the session is known to be valid. */
  verify(): void {
    if (this.hasEnded || this.#account === undefined) return;
    const held = this.#verifyAgain();
    this.#held = held;
    // What it is not told meanwhile is read afterwards.
    this.#behindMs ??= this.#heldMs;
    void held.then(() => {
      if (this.#held !== held) return;
      this.#held = undefined;
      void this.#catchUp();
    });
  }

  /** Tells it what has changed since then, of all conversations. After it was away from the feed, or did not read. */
  async refresh(sinceMs: number): Promise<void> {
    if (this.#state === 'welcoming') this.own.refreshLater(sinceMs);
    if (this.#state !== 'live') return;
    await this.own.refresh(sinceMs);
    await this.opened.loadStale();
  }

  #hear(frame: ClientFrame): void {
    if (frame.op === 'hello') void this.#hello(frame).catch((error: unknown) => this.fail(error));
    else if (this.#state === 'welcoming') this.#early.push(frame);
    else answer(this, frame, this.#services);
  }

  /** The feed first, then the session and the conversations: so nothing falls between. */
  async #hello({ token = this.#socket.sessionToken, since }: ClientFrames['hello']): Promise<void> {
    this.#state = 'welcoming';
    this.#token = token ?? '';
    const account = await this.#findSession();
    if (account === undefined) this.end('unauthenticated');
    if (account === undefined || this.hasEnded) return;
    this.#account = account;
    this.#person = this.#services.person(account.userId);
    this.#person.sockets.add(this);
    this.#services.presence.changed(account.userId);
    const key = keyOf('user_id', account.userId);
    this.#socket.belongsTo(account.userId);
    const position = await this.#services.follows.add([key]);
    // The end of a session before the feed was followed is seen by another look at it.
    if ((await this.#findSession()) === undefined) this.end('unauthenticated');
    const clockMs = await this.own.welcome(this.#sinceMsOf(since), position);
    this.#begin(clockMs);
  }

  /** Undefined for all: without a position, or after a failover, which may have lost what the client holds. */
  #sinceMsOf(since: string | undefined): number | undefined {
    const held = since === undefined ? undefined : decodeStreamPosition(since);
    const { delivered } = this.#services.stream;
    return held !== undefined && delivered?.timeline === held.position.timeline ? held.timeMs : undefined;
  }

  #begin(clockMs: number): void {
    if (this.hasEnded) return;
    this.#welcomeMs = clockMs - this.#services.lagMs;
    this.#state = 'live';
    this.own.begin(this.#person);
    const early = this.#early;
    this.#early = [];
    for (const frame of early) this.onFrame(frame);
  }

  async #findSession(): Promise<SignedIn | undefined> {
    if (this.#token === '' || this.hasEnded) return undefined;
    return await this.#services.sessions.verify(this.#token, this.caller());
  }

  async #verifyAgain(): Promise<void> {
    try {
      const account = await this.#findSession();
      if (account === undefined) this.end('unauthenticated');
      else this.#account = account;
    } catch {
      this.end('unavailable');
    }
  }

  /** Everything that could not be sent is read. */
  async #catchUp(): Promise<void> {
    const sinceMs = this.#behindMs;
    if (sinceMs === undefined || this.#isCatchingUp || this.hasEnded) return;
    this.#isCatchingUp = true;
    this.#services.figures.caughtUp += 1;
    this.#behindMs = undefined;
    const release = this.#services.stream.hold(sinceMs);
    const late = setTimeout(() => this.end('slow_reader'), catchUpMs);
    try {
      await this.refresh(sinceMs);
    } catch (error) {
      this.fail(error);
    }
    clearTimeout(late);
    release();
    this.#isCatchingUp = false;
    this.#stillBehind(sinceMs);
  }

  /** It fell behind again meanwhile. */
  #stillBehind(sinceMs: number): void {
    if (this.#behindMs === undefined) return;
    this.#behindMs = Math.min(this.#behindMs, sinceMs);
    this.#services.retry(async () => this.#catchUp());
  }

  fail(error: unknown): void {
    if (this.hasEnded) return;
    if (!(error instanceof AppError)) this.#services.failed(error);
    this.end('unavailable');
  }
}

function refOf(frame: object): string | undefined {
  return 'ref' in frame && typeof frame.ref === 'string' && frame.ref !== '' && frame.ref.length <= 64
    ? frame.ref
    : undefined;
}
