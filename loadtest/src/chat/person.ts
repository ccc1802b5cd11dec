import type { ClientFrame, ServerFrames } from '@messenger/protocol/frames';

import type { Fault } from '../connection.ts';
import type { Due } from '../due-queue.ts';
import type { Recorder } from '../recorder.ts';
import type { SocketEnd } from './chat-socket.ts';
import { Device, type DeviceListener, type Network } from './device.ts';
import { lasting, newsShare, readBackShare, typingMs, untilNext } from './habits.ts';
import { weightOf } from './layout.ts';
import type { Ledger, Sent } from './ledger.ts';
import type { ReadBack } from './read-back.ts';
import type { Arrival, View } from './view.ts';
import type { Violations } from './violations.ts';

export type Act = 'connect' | 'look' | 'typing' | 'send' | 'read' | 'leave' | 'return';

export interface DueAct extends Due {
  readonly person: Person;
  readonly act: Act;
}

/** Shared by all people of a generator. */
export interface ChatWorld extends Network {
  readonly deadlineMs: number;
  readonly recorder: Recorder;
  readonly random: () => number;
  /** Milliseconds since the start of the run. */
  readonly now: () => number;
  readonly schedule: (act: DueAct) => void;
  readonly readBack: ReadBack;
  readonly violations: Violations;
  /** Counts the ends of sockets by their code. */
  readonly countEnd: (code: number) => void;
}

export interface Identity {
  readonly userId: string;
  readonly token: string;
  /** For samples. */
  readonly name: string;
  readonly ledgers: ReadonlyMap<string, Ledger>;
  /** The numbers of members, by conversation. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** A call that is not answered. */
interface Call {
  readonly request: 'Send' | 'Repeat Send' | 'Read' | 'Open' | 'Connect' | 'Return';
  /** Sent again after a lost connection; undefined for the opening of a conversation, which begins at another place then. */
  readonly frame: ClientFrame | undefined;
  readonly dueMs: number;
  readonly view: View;
  readonly sent?: Sent;
}

interface Current {
  readonly id: string;
  readonly view: View;
}

/** Comes back within this time after an end that the server did not explain. */
const comeBackMs = 1_000;

/** One person with one device: acts by the habits, and checks what arrives. */
export class Person implements DeviceListener {
  readonly identity: Identity;
  readonly device: Device;
  readonly #world: ChatWorld;
  readonly #calls = new Map<string, Call>();
  readonly #news = new Set<string>();
  #refs = 0;
  #current: Current | undefined;
  #connecting: { readonly request: 'Connect' | 'Return'; readonly dueMs: number } | undefined;
  #isAway = true;
  #isReading = false;
  /** The server has ended the socket for good. */
  #isRefused = false;
  #isOver = false;

  constructor(world: ChatWorld, identity: Identity) {
    this.#world = world;
    this.identity = identity;
    this.device = new Device(world, identity, this);
  }

  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Connected, and waiting for nothing. */
  get isQuiet(): boolean {
    return this.device.isReady && this.#connecting === undefined && this.#calls.size === 0;
  }

  perform(act: Act, dueMs: number): void {
    if (act !== 'connect' && act !== 'return' && this.#isOver) return;
    if (act !== 'connect') this.#world.recorder.lateStarts.add(this.#world.now() - dueMs);
    this[act](dueMs);
  }

  /** The first of all acts. */
  connect(dueMs: number): void {
    this.#isAway = false;
    this.#connecting = { request: 'Connect', dueMs };
    this.device.connect();
    for (const act of ['send', 'look', 'leave'] as const) this.#repeat(act, Math.max(0, dueMs));
  }

  /** Nothing more is due. Who is away comes back at once. */
  finish(nowMs: number): void {
    this.#isOver = true;
    if (this.#isAway) this.return(nowMs);
  }

  leave(dueMs: number): void {
    this.#repeat('leave', dueMs);
    if (!this.device.isReady) return;
    this.#isAway = true;
    // Half of them as if the battery died: the server sees nothing of it until it notices the silence.
    if (this.#world.random() < 0.5) this.device.leave();
    else this.device.freeze();
    this.#later('return', dueMs + lasting('away', this.#world.random));
  }

  return(dueMs: number): void {
    if (this.device.hasSocket || this.#isRefused) return;
    if (this.#isAway) this.#postpone(dueMs);
    this.#isAway = false;
    this.#connecting ??= { request: 'Return', dueMs };
    this.device.connect();
  }

  look(dueMs: number): void {
    this.#repeat('look', dueMs);
    if (this.device.isReady) this.#open(this.#choose(), dueMs);
  }

  typing(): void {
    if (this.#current !== undefined) this.device.send({ op: 'typing', conversation_id: this.#current.id });
  }

  /** A message that is due while the server is gone waits; nobody writes while away on purpose. */
  send(dueMs: number): void {
    this.#repeat('send', dueMs);
    if (this.#isAway) return;
    if (this.#current === undefined && this.device.isReady) this.#open(this.#choose(), dueMs);
    if (this.#current === undefined) return;
    const { id: conversation_id, view } = this.#current;
    const [id, senderId] = [crypto.randomUUID(), this.identity.userId];
    const sent: Sent = { id, senderId, body: `Load test ${id}`, dueMs, outcome: 'uncertain' };
    view.ledger.send(sent);
    this.#call(
      'Send',
      { op: 'send', ref: this.#newRef(), conversation_id, id, body: sent.body },
      { dueMs, view, sent },
    );
  }

  read(dueMs: number): void {
    this.#isReading = false;
    if (this.#current === undefined || !this.device.isReady) return;
    const { id: conversation_id, view } = this.#current;
    if (view.lastNumber <= view.readNumber) return;
    const frame = { op: 'read', ref: this.#newRef(), conversation_id, number: view.lastNumber } as const;
    this.#call('Read', frame, { dueMs, view });
  }

  /** Gives up what is overdue. */
  cutOverdue(nowMs: number): void {
    const { deadlineMs, recorder } = this.#world;
    const timeout = { kind: 'timeout', example: `no answer within ${deadlineMs / 1000} s` };
    for (const [ref, call] of this.#calls)
      if (nowMs - call.dueMs > deadlineMs) {
        call.view.doubtRead();
        this.#answered(ref, call, nowMs, timeout);
      }
    if (this.#connecting === undefined || nowMs - this.#connecting.dueMs <= deadlineMs) return;
    recorder.record(this.#connecting.request, nowMs - this.#connecting.dueMs, timeout);
    this.#connecting = { ...this.#connecting, dueMs: nowMs };
    this.device.connect();
  }

  end(): void {
    this.#isOver = true;
    this.device.leave();
  }

  /** Whoever comes back has arrived when the open conversation is complete. */
  onReady(): void {
    for (const [ref, { frame }] of this.#calls)
      if (frame === undefined) this.#calls.delete(ref);
      else this.device.send(frame);
    if (this.#connecting === undefined) return;
    const { request, dueMs } = this.#connecting;
    this.#connecting = undefined;
    if (this.#current !== undefined) this.#load(this.#current, request, dueMs);
    else if (dueMs >= 0) this.#world.recorder.record(request, this.#world.now() - dueMs, undefined);
  }

  onLive(view: View): void {
    const nowMs = this.#world.now();
    for (const [ref, call] of this.#calls)
      if (call.frame === undefined && call.view === view) this.#answered(ref, call, nowMs);
    this.#readSoon(nowMs);
  }

  onArrivals(_view: View, arrivals: readonly Arrival[]): void {
    const nowMs = this.#world.now();
    for (const { sent } of arrivals)
      if (sent.senderId !== this.identity.userId)
        this.#world.recorder.record('Delivery', nowMs - sent.dueMs, undefined);
    if (arrivals.length > 0) this.#readSoon(nowMs);
  }

  onListUpdate(view: View, first: number, last: number): void {
    const nowMs = this.#world.now();
    const { recorder } = this.#world;
    for (let number = first; number <= last; number++)
      view.ledger.whenKnown(number, ({ senderId, dueMs }) => {
        if (senderId !== this.identity.userId) recorder.record('List Update', nowMs - dueMs, undefined);
      });
    this.#news.add(view.ledger.id);
  }

  onAnswer(frame: ServerFrames['done'] | ServerFrames['refused']): void {
    const call = this.#calls.get(frame.ref);
    if (call === undefined || (frame.op === 'done' && call.frame === undefined)) return;
    const nowMs = this.#world.now();
    if (frame.op === 'done') this.#succeeded(frame, call);
    const fault = frame.op === 'done' ? undefined : faultOf(frame.problem);
    if (frame.op === 'refused' && frame.problem.code === 'outcome_unknown') call.view.doubtRead();
    else if (frame.op === 'refused' && call.sent !== undefined) call.sent.outcome = 'refused';
    this.#answered(frame.ref, call, nowMs, fault);
  }

  onMalformed(): void {
    this.#world.recorder.record('Connect', 0, { kind: 'malformed frame', example: 'not in the contract' });
  }

  /** After the codes from 4500 on, and after a refusal of the session, people do not come back. */
  onEnd({ code, afterMs }: SocketEnd): void {
    const { countEnd, random, now, recorder } = this.#world;
    countEnd(code);
    this.#isRefused = code >= 4500 || (code >= 400 && code < 500 && code !== 429);
    if (this.#isRefused) {
      recorder.record('Connect', 0, { kind: `closed with ${code}` });
      this.#connecting = undefined;
    } else this.#later('return', now() + (afterMs ?? random() * comeBackMs));
  }

  #succeeded(frame: ServerFrames['done'], { request, frame: asked, view, sent }: Call): void {
    if (request === 'Read' && asked?.op === 'read') view.acknowledge(asked.number);
    if (sent === undefined || asked?.op !== 'send' || frame.number === undefined) return;
    view.ledger.acknowledge(sent, frame.number);
    view.acknowledge(frame.number);
    const { readBack, random } = this.#world;
    if (random() >= readBackShare) return;
    const { conversation_id: conversationId } = asked;
    const { token } = this.identity;
    readBack.check({
      conversationId,
      number: frame.number,
      sent,
      position: frame.position,
      token,
      ledger: view.ledger,
    });
  }

  #answered(ref: string, { request, dueMs, frame }: Call, nowMs: number, fault?: Fault): void {
    this.#calls.delete(ref);
    if (frame === undefined && fault !== undefined) this.#closeCurrent();
    this.#world.recorder.record(request, nowMs - dueMs, fault);
  }

  #call(
    request: Call['request'],
    frame: ClientFrame & { readonly ref: string },
    call: Omit<Call, 'request' | 'frame'>,
  ): void {
    this.#calls.set(frame.ref, { ...call, request, frame });
    if (this.device.isReady) this.device.send(frame);
  }

  /** What was not answered before the person left is due again now, as a repeat. */
  #postpone(dueMs: number): void {
    for (const [ref, call] of this.#calls)
      if (call.sent === undefined) {
        if (call.request === 'Read') call.view.doubtRead();
        this.#calls.delete(ref);
      } else this.#calls.set(ref, { ...call, request: 'Repeat Send', dueMs });
  }

  #open(id: string | undefined, dueMs: number): void {
    const view = this.device.views.get(id ?? '');
    // Whoever waits for one conversation opens no other.
    if (id === undefined || view === undefined || this.#current?.view.isLive === false) return;
    this.#closeCurrent();
    this.#news.delete(id);
    this.#current = { id, view };
    this.#load(this.#current, 'Open', dueMs);
  }

  #load({ id, view }: Current, request: Call['request'], dueMs: number): void {
    const ref = this.#newRef();
    this.#calls.set(ref, { request, frame: undefined, dueMs, view });
    this.device.open(id, view, ref);
  }

  #closeCurrent(): void {
    if (this.#current !== undefined && this.device.isReady) this.device.close(this.#current.id);
    this.#current = undefined;
  }

  #choose(): string | undefined {
    const { random } = this.#world;
    const able = this.device.views
      .entries()
      .filter(([, view]) => this.device.canOpen(view))
      .toArray();
    const isNew = able.filter(([id]) => this.#news.has(id));
    const [news] = isNew.at(-1) ?? [];
    if (news !== undefined && random() < newsShare) return news;
    const weights = able.map(([id]) => weightOf(this.identity.sizes.get(id) ?? 2));
    let at = random() * weights.reduce((sum, weight) => sum + weight, 0);
    return able.find((_, index) => (at -= weights[index] ?? 0) < 0)?.[0];
  }

  #readSoon(nowMs: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#later('read', nowMs + lasting('read', this.#world.random));
  }

  #repeat(act: 'send' | 'look' | 'leave', dueMs: number): void {
    const nextMs = dueMs + untilNext(act, this.#world.random);
    this.#later(act, nextMs);
    if (act === 'send') this.#later('typing', Math.max(dueMs, nextMs - typingMs));
  }

  #later(act: Act, dueMs: number): void {
    this.#world.schedule({ person: this, act, dueMs });
  }

  #newRef(): string {
    this.#refs += 1;
    return String(this.#refs);
  }
}

/** The code of a problem is not user data. */
function faultOf({ status, code }: ServerFrames['refused']['problem']): Fault {
  return { kind: status === 503 ? 'refused' : `status ${status}`, example: code };
}
