import { readId, wrongStatus } from './checks.ts';
import { Connection, type Address, type Fault, type Listener } from './connection.ts';
import type { Due } from './due-queue.ts';
import type { Answer } from './http-answer.ts';
import type { Checks } from './messages.ts';
import type { Recorder } from './recorder.ts';
import { newSession, type Session } from './session.ts';
import type { Request, Step } from './steps.ts';

/** Shared by all users of a generator. */
export interface World {
  readonly steps: readonly Step[];
  readonly address: Address;
  readonly host: string;
  readonly token: string | undefined;
  readonly checks: Checks;
  readonly deadlineMs: number;
  readonly countFromMs: number;
  readonly recorder: Recorder;
  readonly random: () => number;
  /** Milliseconds since the start of the run. */
  readonly now: () => number;
  /** Queues the user until its `dueMs`. */
  readonly schedule: (user: VirtualUser) => void;
  readonly leave: (user: VirtualUser) => void;
}

/**
 * One user: performs its steps in order on one connection, each a think time after the previous answer. A failed step does not
 * end it, except the creation.
 */
export class VirtualUser implements Due, Listener {
  /** When the next request is due, or the one in flight was due; latency counts from here. */
  dueMs: number;
  readonly #world: World;
  readonly #session: Session;
  readonly #connection: Connection;
  #step = 0;
  #isWaiting = false;

  constructor(world: World, number: number, dueMs: number) {
    this.dueMs = dueMs;
    this.#world = world;
    this.#session = newSession(number);
    this.#connection = new Connection(world.address, this);
  }

  send(nowMs: number): void {
    const { steps, countFromMs, recorder } = this.#world;
    for (; this.#step < steps.length; this.#step++) {
      const request = steps[this.#step]?.request(this.#session);
      if (request === undefined) continue;
      if (this.dueMs >= countFromMs) recorder.lateStarts.add(nowMs - this.dueMs);
      this.#isWaiting = true;
      this.#connection.send(encode(request, this.#world, this.#session.consistencyToken));
      return;
    }
    this.end();
  }

  /** Abandons the request in flight after its deadline. */
  cutWhenOverdue(nowMs: number): void {
    if (!this.#isWaiting || nowMs - this.dueMs <= this.#world.deadlineMs) return;
    this.#connection.close();
    this.onFault({ kind: 'timeout', example: `no answer within ${this.#world.deadlineMs / 1000} s` });
  }

  end(): void {
    this.#connection.close();
    this.#isWaiting = false;
    this.#world.leave(this);
  }

  onAnswer(answer: Answer): void {
    this.#session.consistencyToken = answer.consistencyToken ?? this.#session.consistencyToken;
    this.#finish(this.#judge(answer));
  }

  onFault(fault: Fault): void {
    this.#finish(fault);
  }

  #judge(answer: Answer): Fault | undefined {
    const step = this.#world.steps[this.#step];
    const fault = step?.check(answer, this.#session); // Also stores what later steps need.
    if (this.#world.checks === 'strict') return fault;
    learnId(answer, this.#session);
    return step?.guideStatuses.includes(answer.status) === true ? undefined : wrongStatus(answer);
  }

  #finish(fault: Fault | undefined): void {
    const { steps, recorder, countFromMs, now, random, schedule } = this.#world;
    const nowMs = now();
    this.#isWaiting = false;
    this.#settleNames(fault);
    const name = steps[this.#step]?.name ?? '';
    if (this.dueMs >= countFromMs) recorder.record(name, nowMs - this.dueMs, fault);
    this.#step++;
    const next = steps[this.#step];
    if (next === undefined || this.#session.states.length === 0) {
      this.end();
      return;
    }
    const [leastMs, mostMs] = next.thinkMs;
    this.dueMs = nowMs + leastMs + random() * (mostMs - leastMs);
    schedule(this);
  }

  #settleNames(fault: Fault | undefined): void {
    const { sent, uncertain } = this.#session;
    if (fault !== undefined && sent !== undefined) uncertain.push(sent);
    this.#session.sent = undefined;
  }
}

/** `--checks guide` accepts users of any form; later steps need only the id. */
function learnId({ body }: Answer, { states, sent }: Session): void {
  const id = states.length === 0 && sent !== undefined ? readId(body) : undefined;
  if (id !== undefined && sent !== undefined) states.push({ id, ...sent, created_at: '', updated_at: '' });
}

function encode({ method, path, body }: Request, { host, token }: World, newest: string | undefined): string {
  const signedIn = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  const fresh = newest === undefined ? '' : `Consistency-Token: ${newest}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\n${signedIn}${fresh}`;
  if (body === undefined) return `${head}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
