/** A process with many clients: each follows a conversation, comes back when its connection is lost, and checks that it misses nothing. */
import type { ServerFrame } from '@messenger/protocol/frames';

import { waitFor } from '../test/wait-for.ts';
import { idOf, tokenOf } from './chat-load.ts';
import { RealtimeClient } from './realtime-client.ts';

/** From the parent: open so many sockets of so many people; wait until all are back; or until they have these last numbers. */
export type ReturningOrder =
  | { readonly sockets: number; readonly people: number; readonly port: number }
  | { readonly back: true }
  | { readonly lastNumbers: readonly number[] };

export interface ReturningReport {
  /** Times (`Date.now()`) at which clients were caught up after their connection was lost. */
  readonly backMs: readonly number[];
  /** Connections that were lost. */
  readonly lost: number;
  /** Connections and calls that failed and were repeated. */
  readonly repeated: number;
  /** Refusals that a repetition does not change. */
  readonly refused: readonly string[];
  /** Messages that did not arrive, or not in order, in words. */
  readonly faults: readonly string[];
}

const opening = 50;
const waitMs = 60_000;
/** After the last answer to a send. */
const arriveMs = 15_000;
const backMs: number[] = [];
const refused: string[] = [];
const faults: string[] = [];
let lost = 0;

class Follower {
  /** From 1; the conversation is that of the same number. */
  readonly #group: number;
  #client: RealtimeClient | undefined;
  #to = 0;
  number = 0;

  constructor(group: number) {
    this.#group = group;
  }

  get failures(): number {
    return this.#client?.failures ?? 0;
  }

  async open(port: number, people: number): Promise<void> {
    this.#client = await RealtimeClient.open({
      port,
      token: tokenOf(1 + (this.#group % people)),
      onFrame: (frame) => this.#hear(frame),
      onLost: () => (lost += 1),
      onBack: () => void this.#follow().then(() => backMs.push(Date.now())),
    });
    await this.#follow();
  }

  /** The changes arrive before the answer. */
  async #follow(): Promise<void> {
    const conversation_id = idOf(`group ${this.#group}`);
    const answer = await this.#client?.ask({ op: 'open', conversation_id, after: this.#to });
    if (answer?.op === 'refused') refused.push(answer.problem.code);
  }

  #hear(frame: ServerFrame): void {
    if (frame.op === 'bye' && frame.code >= 4_500) refused.push(String(frame.code));
    if (frame.op !== 'changes') return;
    if (frame.from !== this.#to) faults.push(`changes from ${frame.from} after ${this.#to}`);
    this.#to = frame.to;
    for (const { number } of frame.messages) {
      if (number !== this.number + 1) faults.push(`message ${number} after ${this.number}`);
      this.number = number;
    }
  }
}

const followers: Follower[] = [];

async function openAll(sockets: number, people: number, port: number): Promise<void> {
  while (followers.length < sockets) {
    const some = Array.from({ length: opening }, (_none, n) => new Follower(1 + ((followers.length + n) % people)));
    followers.push(...some);
    await Promise.all(some.map(async (one) => one.open(port, people)));
  }
}

async function haveAll(lastNumbers: readonly number[]): Promise<void> {
  const missing = (): number => followers.filter((one, n) => one.number !== lastNumbers[n % lastNumbers.length]).length;
  await waitFor('all messages', () => missing() === 0, arriveMs).catch(() => undefined);
  if (missing() > 0) faults.push(`${missing()} sockets did not get all messages`);
}

async function obey(order: ReturningOrder): Promise<void> {
  if ('back' in order) await waitFor('all sockets', () => lost > 0 && backMs.length >= lost, waitMs);
  else if ('sockets' in order) await openAll(order.sockets, order.people, order.port);
  else await haveAll(order.lastNumbers);
  const repeated = followers.reduce((sum, { failures }) => sum + failures, 0);
  process.send?.({ backMs, lost, repeated, refused, faults } satisfies ReturningReport);
}

process.on('message', (order: ReturningOrder) => void obey(order));
