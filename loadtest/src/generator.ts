import { DueQueue } from './due-queue.ts';
import { loadTypes } from './load-types.ts';
import type { Plan, Share } from './messages.ts';
import { Recorder } from './recorder.ts';
import { arrivalTimes } from './schedule.ts';
import { VirtualUser, type World } from './virtual-user.ts';

/** The timer interval: requests are sent up to about this late, and the delay is measured. */
const tickMs = 1;
const overdueCheckMs = 100;

export interface GeneratorIo {
  /** Milliseconds since the start of the run; negative before it. */
  readonly now: () => number;
  readonly random: () => number;
  /** Called at the end of each second, counted from 0. */
  readonly onSecond: (second: number) => void;
}

/** Starts its share of the users on schedule (open model). One timer sends, every millisecond, all requests that are due. */
export class Generator {
  readonly recorder: Recorder;
  readonly #io: GeneratorIo;
  readonly #share: Share;
  readonly #world: World;
  readonly #queue = new DueQueue<VirtualUser>();
  readonly #active = new Set<VirtualUser>();
  readonly #finished = Promise.withResolvers<void>();
  #arrivals: Float64Array;
  #next: number;
  #second = 0;
  #overdueCheckedMs = 0;
  #usersStarted = 0;

  constructor(plan: Plan, share: Share, io: GeneratorIo) {
    const { steps } = loadTypes[plan.type];
    this.#io = io;
    this.#share = share;
    this.#next = share.part;
    this.#arrivals = arrivalTimes(plan.phases);
    this.recorder = new Recorder([...new Set(steps.map(({ name }) => name))]);
    this.#world = {
      ...plan,
      steps,
      recorder: this.recorder,
      now: io.now,
      random: io.random,
      schedule: (user) => this.#queue.push(user),
      leave: (user) => this.#active.delete(user),
    };
  }

  get activeUsers(): number {
    return this.#active.size;
  }

  get usersStarted(): number {
    return this.#usersStarted;
  }

  /** Resolves when all users have finished, or after `stop`. */
  async run(): Promise<void> {
    const timer = setInterval(() => this.#tick(), tickMs);
    await this.#finished.promise;
    clearInterval(timer);
    this.#io.onSecond(this.#second);
  }

  /** Ends all users at once; requests in flight are not counted. */
  stop(): void {
    this.#arrivals = new Float64Array();
    this.#queue.clear();
    for (const user of this.#active) user.end();
    this.#finished.resolve();
  }

  #tick(): void {
    const nowMs = this.#io.now();
    this.#startArrivals(nowMs);
    for (let user = this.#queue.takeDue(nowMs); user !== undefined; user = this.#queue.takeDue(nowMs))
      user.send(this.#io.now());
    if (nowMs - this.#overdueCheckedMs >= overdueCheckMs) this.#cutOverdue(nowMs);
    for (; nowMs >= (this.#second + 1) * 1000; this.#second++) this.#io.onSecond(this.#second);
    if (this.#next >= this.#arrivals.length && this.#active.size === 0) this.#finished.resolve();
  }

  #startArrivals(nowMs: number): void {
    for (;;) {
      const dueMs = this.#arrivals[this.#next];
      if (dueMs === undefined || dueMs > nowMs) return;
      const user = new VirtualUser(this.#world, this.#next, dueMs);
      this.#next += this.#share.parts;
      this.#usersStarted++;
      this.#active.add(user);
      user.send(this.#io.now());
    }
  }

  #cutOverdue(nowMs: number): void {
    this.#overdueCheckedMs = nowMs;
    for (const user of this.#active) user.cutWhenOverdue(nowMs);
  }
}
