import { setTimeout as sleep } from 'node:timers/promises';

import { DueQueue } from '../due-queue.ts';
import type { ChatPlan, ChatTally, Plan, Share } from '../messages.ts';
import type { GeneratorIo } from '../generator.ts';
import { Recorder } from '../recorder.ts';
import { durationOf } from '../schedule.ts';
import { communitySize } from './layout.ts';
import { Ledger } from './ledger.ts';
import { Person, type ChatWorld, type DueAct } from './person.ts';
import { ReadBack } from './read-back.ts';
import { reload } from './second-device.ts';
import { Violations } from './violations.ts';

const requests = ['Send', 'Repeat Send', 'Read', 'Open', 'Return', 'Read After Send', 'Connect', 'Reload'];
/** Nobody waits for their answer, so they are not among the requests of the whole run. */
const arrivals = ['Delivery', 'List Update'];

const tickMs = 1;
const overdueCheckMs = 100;
const quietCheckMs = 20;
/** People who load everything again at the same time. */
const reloads = 50;

/** The people of whole communities, from their connection to the last check. */
export class ChatGenerator {
  readonly recorder = new Recorder(requests, arrivals);
  readonly #plan: Plan;
  readonly #io: GeneratorIo;
  readonly #people: Person[] = [];
  readonly #ledgers: Ledger[] = [];
  readonly #queue = new DueQueue<DueAct>();
  readonly #violations = new Violations();
  readonly #ends = new Map<number, number>();
  readonly #world: ChatWorld;
  readonly #stopping = new AbortController();
  #second = 0;
  #overdueCheckedMs = 0;

  constructor(plan: Plan, chat: ChatPlan, share: Share, io: GeneratorIo) {
    const { address, host, deadlineMs } = plan;
    this.#plan = plan;
    this.#io = io;
    this.#world = {
      address,
      host,
      deadlineMs,
      recorder: this.recorder,
      random: io.random,
      now: io.now,
      schedule: (act) => this.#queue.push(act),
      violations: this.#violations,
      readBack: new ReadBack({ address, host, recorder: this.recorder, now: io.now }),
      countEnd: (code) => this.#ends.set(code, (this.#ends.get(code) ?? 0) + 1),
    };
    this.#create(chat, share);
  }

  get activeUsers(): number {
    return this.#people.reduce((count, { device }) => (device.isReady ? count + 1 : count), 0);
  }

  get usersStarted(): number {
    return this.#people.length;
  }

  tally(): ChatTally {
    return {
      violations: this.#violations.list(),
      ends: this.#ends
        .entries()
        .map(([code, count]) => ({ code, count }))
        .toArray(),
      conversations: this.#ledgers.length,
      messages: this.#ledgers.reduce((sum, ledger) => sum + ledger.acknowledged().toArray().length, 0),
    };
  }

  /** People connect before the start of the run. Resolves after the last check, or after `stop`. */
  async run(): Promise<void> {
    const timer = setInterval(() => this.#tick(), tickMs);
    const { signal } = this.#stopping;
    const endMs = durationOf(this.#plan.phases) * 1000;
    try {
      await sleep(Math.max(0, endMs - this.#io.now()), undefined, { signal });
      await this.#settle(signal);
      await this.#check(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(timer);
      for (const person of this.#people) person.end();
      this.#io.onSecond(this.#second);
    }
  }

  /** Ends at once, without the checks of the end. */
  stop(): void {
    this.#stopping.abort();
  }

  #create({ people, conversations, connectMs }: ChatPlan, { part, parts }: Share): void {
    const isOwn = (person: number): boolean => Math.floor(person / communitySize) % parts === part;
    const own = conversations.filter(({ members }) => isOwn(members[0] ?? 0));
    const ledgers = new Map(
      own.map(({ id, members }, index) => {
        const ledger = new Ledger(id, `conversation ${index} (${members.length} members)`, this.#violations);
        return [id, { ledger, members: new Set(members) }];
      }),
    );
    this.#ledgers.push(...ledgers.values().map(({ ledger }) => ledger));
    for (const [index, { userId, token }] of people.entries()) {
      if (!isOwn(index)) continue;
      const mine = ledgers
        .entries()
        .filter(([, { members }]) => members.has(index))
        .toArray();
      const identity = {
        userId,
        token,
        name: `person ${index}`,
        ledgers: new Map(mine.map(([id, { ledger }]) => [id, ledger])),
        sizes: new Map(mine.map(([id, { members }]) => [id, members.size])),
      };
      const person = new Person(this.#world, identity);
      this.#people.push(person);
      this.#queue.push({ person, act: 'connect', dueMs: (index / people.length - 1) * connectMs });
    }
  }

  #tick(): void {
    const nowMs = this.#io.now();
    for (let due = this.#queue.takeDue(nowMs); due !== undefined; due = this.#queue.takeDue(nowMs))
      due.person.perform(due.act, due.dueMs);
    if (nowMs - this.#overdueCheckedMs >= overdueCheckMs) {
      this.#overdueCheckedMs = nowMs;
      for (const person of this.#people) person.cutOverdue(nowMs);
    }
    for (; nowMs >= (this.#second + 1) * 1000; this.#second++) this.#io.onSecond(this.#second);
  }

  /** Everybody comes back, and all that was sent arrives; or the deadline passes. */
  async #settle(signal: AbortSignal): Promise<void> {
    const { now } = this.#io;
    const untilMs = now() + this.#plan.deadlineMs;
    for (const person of this.#people) person.finish(now());
    while (now() < untilMs && !this.#isQuiet()) await sleep(quietCheckMs, undefined, { signal });
  }

  #isQuiet(): boolean {
    if (this.#world.readBack.inFlight > 0) return false;
    return this.#people.every(
      (person) => person.isRefused || (person.isQuiet && person.device.views.values().every((view) => view.isUpToDate)),
    );
  }

  async #check(signal: AbortSignal): Promise<void> {
    const waiting = [...this.#people];
    for (const { device } of this.#people)
      if (device.isReady) for (const view of device.views.values()) view.checkAtEnd();
    await Promise.all(
      Array.from({ length: reloads }, async () => {
        for (let person = waiting.pop(); person !== undefined; person = waiting.pop())
          if (!person.isRefused) await reload(person, this.#world, signal);
      }),
    );
  }
}
