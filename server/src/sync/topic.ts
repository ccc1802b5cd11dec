import type { Changes } from '@messenger/protocol/changes';

import type { FeedRow } from '../feed/feed.ts';
import { AppError } from '../lib/app-error.ts';
import { Frame } from '../sockets/frame.ts';
import { countsOf, headIn, headOf, infoOf, membershipOf, messageOf, type Counts, type Head } from './feed-rows.ts';
import type { Coalesced } from './coalescer.ts';
import type { Ephemeral } from './ephemeral.ts';
import { Receipts } from './receipts.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';

/** How far a socket has been told of a conversation that it has open. */
export interface Opened {
  /** The `to` of its last `changes`. */
  held: number;
  /** Reads from the database; until it has reached `wanted`, it gets no live changes. */
  isLoading: boolean;
  wanted: number;
}

interface HeadFrame {
  readonly seq: number;
  readonly frame: Frame;
}

/** One conversation, as the sockets of this worker follow it. */
export class Topic implements Coalesced {
  readonly id: string;
  /** The sockets of its members, and the `seq` of the newest head that each was told. */
  readonly heads = new Map<SyncSocket, number>();
  readonly open = new Map<SyncSocket, Opened>();
  readonly #services: SyncServices;
  flushedAtMs = 0;
  /** The `to` of the last live change; sockets that hold less are read for. */
  #seq = 0;
  #wanted = 0;
  #isHealing = false;
  #isStale = false;
  #receipts: Receipts | undefined;
  /** Its newest row, and then its frame. */
  #row: FeedRow | undefined;
  #head: HeadFrame | undefined;

  constructor(id: string, services: SyncServices) {
    this.id = id;
    this.#services = services;
  }

  get isUnused(): boolean {
    return this.heads.size + this.open.size === 0;
  }

  /** Rows of this conversation in one commit. */
  commit(rows: readonly FeedRow[]): void {
    const row = rows.findLast(({ table, kind }) => table === 'conversations' && kind !== 'delete');
    if (row === undefined) return this.#receive(rows);
    const counts = countsOf(row);
    if (counts.isDeleted) return this.end();
    if (this.open.size > 0) this.#change(rows, row, counts);
    this.#row = row;
    this.#services.coalescer.add(this);
  }

  /** Own state of members, which takes no `seq`. */
  #receive(rows: readonly FeedRow[]): void {
    if (this.open.size === 0) return;
    this.#receipts ??= new Receipts(this.id, () => this.open.keys(), this.#services);
    this.#receipts.add(rows.filter(({ table }) => table === 'members'));
  }

  /** Somebody types. */
  typing({ user_id: userId, hidden }: Extract<Ephemeral, { kind: 'typing' }>): void {
    const frame = new Frame({ op: 'typing', conversation_id: this.id, user_id: userId });
    for (const socket of this.open.keys())
      if (socket.userId !== userId && !hidden.includes(socket.userId)) socket.deliverEphemeral(frame);
  }

  /** It does not exist any more. */
  end(): void {
    for (const socket of new Set([...this.heads.keys(), ...this.open.keys()])) socket.leave(this.id);
  }

  /** A socket that reads for itself has reached `held`. */
  loaded(socket: SyncSocket, opened: Opened): void {
    const others = [...this.open].some(([other, { isLoading }]) => other !== socket && !isLoading);
    if (!others && !this.#isHealing) this.#seq = opened.held;
  }

  /** The socket does not have it open any more. A change that came while it was loading was told neither as a change nor as a head. */
  closed(socket: SyncSocket): void {
    const opened = this.open.get(socket);
    const told = this.heads.get(socket);
    this.open.delete(socket);
    if (opened === undefined || told === undefined) return;
    if (!opened.isLoading && Number.isFinite(told)) this.heads.set(socket, Math.max(told, opened.held));
    this.tellAgain(socket);
  }

  /** Whether a socket that holds this has missed nothing. */
  isCurrent(held: number): boolean {
    return this.#isHealing || held >= this.#seq;
  }

  /** Sends each socket its newest head. */
  flush(): void {
    if (this.#row === undefined) return;
    for (const [socket, told] of this.heads) this.#tell(socket, told);
  }

  /** After the socket could not be told. */
  tellAgain(socket: SyncSocket): void {
    const told = this.heads.get(socket);
    if (told !== undefined && this.#row !== undefined) this.#tell(socket, told);
  }

  #tell(socket: SyncSocket, told: number): void {
    if (this.open.has(socket)) return;
    if (!socket.isLive) return socket.own.missedHead(this);
    const head = this.#newestHead();
    if (head === undefined) return void this.#readHead(socket);
    if (head.seq > told && socket.deliver(head.frame)) this.heads.set(socket, head.seq);
  }

  #newestHead(): HeadFrame | undefined {
    if (this.#row === undefined) return this.#head;
    const { seq } = countsOf(this.#row);
    if (this.#head?.seq === seq) return this.#head;
    const head = headOf(this.#row);
    if (head !== undefined) this.#head = { seq, frame: this.#headFrame(head) };
    return head === undefined ? undefined : this.#head;
  }

  #headFrame(head: Head): Frame {
    return new Frame({ op: 'head', position: this.#services.stream.position(), ...head });
  }

  /** The log lacks a large value that did not change. All its members see the same. */
  async #readHead(socket: SyncSocket): Promise<void> {
    const row = this.#row;
    this.#row = undefined;
    try {
      const caller = this.#services.caller();
      const head = headIn(await this.#services.conversations.get(this.id, socket.userId, caller));
      this.#head = { seq: head.seq, frame: this.#headFrame(head) };
      for (const [one, told] of this.heads) this.#tellRead(one, told);
    } catch (error) {
      if (error instanceof AppError && error.code === 'conversation_not_found') return;
      this.#row ??= row;
      this.#services.coalescer.later(this);
    }
  }

  #tellRead(socket: SyncSocket, told: number): void {
    if (this.#head === undefined || this.open.has(socket) || told >= this.#head.seq) return;
    if (socket.deliver(this.#head.frame)) this.heads.set(socket, this.#head.seq);
  }

  /** Hands a live change to every socket that holds what precedes it. */
  #change(rows: readonly FeedRow[], row: FeedRow, counts: Counts): void {
    const { seq: to } = counts;
    this.#wanted = Math.max(this.#wanted, to);
    let frame: Frame | undefined;
    for (const [socket, opened] of this.open) {
      if (opened.isLoading) opened.wanted = to;
      else if (socket.isLive && opened.held < to && !this.#isHealing) {
        if (opened.held !== this.#seq) void socket.opened.load(this, opened);
        else {
          frame ??= this.#frameOf(rows, row, counts);
          if (frame === undefined) return void this.heal();
          if (socket.deliver(frame)) opened.held = to;
        }
      }
    }
    if (!this.#isHealing) this.#seq = Math.max(this.#seq, to);
  }

  /** Undefined when the rows are not all changes since `#seq`, with all their values. */
  #frameOf(rows: readonly FeedRow[], row: FeedRow, counts: Counts): Frame | undefined {
    const [from, to] = [this.#seq, counts.seq];
    const changed = rows.filter((one) => one.kind !== 'delete' && seqOf(one) > from);
    const seqs = new Set(changed.map(seqOf));
    for (const { table, values } of rows)
      if (table === 'conversations' && Number(values['info_seq']) > from) seqs.add(Number(values['info_seq']));
    if (seqs.size !== to - from) return undefined;
    const messages = newest(changed, 'messages', 'number').map(messageOf);
    const info = counts.infoSeq > from ? infoOf(row) : null;
    const isWhole = info !== undefined && messages.every((message) => message !== undefined);
    if (!isWhole) return undefined;
    return this.#framed({
      conversation_id: this.id,
      from,
      to,
      complete: true,
      last_number: counts.lastNumber,
      member_count: counts.memberCount,
      conversation: info,
      members: newest(changed, 'members', 'user_id').map(membershipOf),
      messages,
    });
  }

  #framed(changes: Changes): Frame {
    return new Frame({ op: 'changes', position: this.#services.stream.position(), ...changes });
  }

  /** Reads what the log did not tell, once for all sockets. */
  async heal(): Promise<void> {
    // A read that has begun before may lack what this one is to find.
    this.#isStale = true;
    for (const opened of this.open.values()) if (opened.isLoading) opened.wanted = Number.POSITIVE_INFINITY;
    if (this.#isHealing) return;
    if (![...this.open.values()].some(({ isLoading }) => !isLoading)) return;
    this.#isHealing = true;
    try {
      for (let isLast = false; !isLast && this.open.size > 0;) isLast = await this.#healOnce();
    } catch (error) {
      if (!(error instanceof AppError)) this.#services.failed(error);
      else if (error.code === 'conversation_not_found') this.end();
      else if (error.code === 'unknown_position') this.#startAgain();
      else this.#services.retry(async () => this.heal());
    }
    this.#isHealing = false;
    for (const [socket, opened] of this.open)
      if (!opened.isLoading && socket.isLive && opened.held < this.#seq) void socket.opened.load(this, opened);
  }

  /** A failover has lost changes that clients hold. They connect again, and are told so when they open the conversation. */
  #startAgain(): void {
    this.#services.figures.lost += 1;
    for (const socket of this.open.keys()) socket.end('unavailable');
  }

  async #healOnce(): Promise<boolean> {
    const [from, wanted] = [this.#seq, this.#wanted];
    this.#isStale = false;
    const page = await this.#services.changes.readForAll(this.id, from, this.#services.caller());
    this.#services.figures.healed += 1;
    if (page.to > from) {
      const frame = this.#framed(page);
      for (const [socket, opened] of this.open)
        if (!opened.isLoading && opened.held === from && socket.deliver(frame)) opened.held = page.to;
    }
    this.#seq = page.to;
    // The read covers all that was delivered before it: without a new state, there is none, whatever was wanted.
    const isLast = page.complete && (page.to >= this.#wanted || (page.to === from && wanted === this.#wanted));
    return isLast && !this.#isStale;
  }
}

/** The last version of each row, the oldest change first. */
function newest(rows: readonly FeedRow[], table: string, key: string): FeedRow[] {
  const byKey = new Map(rows.filter((row) => row.table === table).map((row) => [row.values[key], row]));
  return [...byKey.values()].toSorted((one, other) => seqOf(one) - seqOf(other));
}

function seqOf({ values }: FeedRow): number {
  return Number(values['changed_seq']);
}
