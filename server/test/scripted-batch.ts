import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Lifetime } from '../src/lib/lifetime.ts';
import { Turn } from '../src/lib/turn.ts';
import { type deferred, Batch, type BatchLimits, type BatchOptions, type Sending } from '../src/db/batch.ts';

/** A statement sent by a batch; the test ends it. */
export interface SentStatement {
  readonly calls: readonly string[];
  readonly interrupt: Lifetime;
  readonly deadline: number;
  /** Answers each call with `call!`, or as given. */
  readonly answer: (results?: readonly (string | typeof deferred)[]) => void;
  readonly fail: (error: unknown) => void;
}

/** The error of a statement caused by one of its calls. */
export class Poison extends Error {}

export interface ScriptedBatch {
  readonly batch: Batch<string, string>;
  /** Every statement since the start, in order. */
  readonly sent: readonly SentStatement[];
  readonly clock: { nowMs: number };
}

const generous: BatchLimits = { maxInFlight: 1, maxSize: 100, maxWaiting: 100, maxWaitMs: 1_000 };

/** A batch whose calls are letters, with a server that answers as the test says. */
export function scriptBatch(changes: Partial<BatchOptions<string, string>> = {}): ScriptedBatch {
  const sent: SentStatement[] = [];
  const clock = { nowMs: 0 };
  const send = async (
    calls: readonly string[],
    { interrupt, deadline, onLeft }: Sending,
  ): Promise<readonly (string | typeof deferred)[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly (string | typeof deferred)[]>();
    onLeft();
    interrupt.addEventListener('abort', () => reject(interrupt.reason), { once: true });
    sent.push({
      calls,
      interrupt,
      deadline,
      answer: (results) => resolve(results ?? calls.map((call) => `${call}!`)),
      fail: reject,
    });
    return await promise;
  };
  const batch = new Batch<string, string>({
    ...generous,
    one: async (call, sending) => String((await send([call], sending))[0]),
    many: send,
    rest: async (calls, sending) => (await send(calls, sending)).map(String),
    isFaultOfCalls: (error) => error instanceof Poison,
    isInterruptible: true,
    clock: { now: () => clock.nowMs },
    turn: new Turn(performance),
    ...changes,
  });
  return { batch, sent, clock };
}

/** Resolves when all calls of this turn are sent, and all answers have arrived. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}

/** A call that is never answered fails its test before the limit of all tests. */
export const patient = AbortSignal.timeout(20_000);
export const gone = new Error('the client went away');

/** The calls of each statement, as words. */
export function words(sent: readonly { readonly calls: readonly string[] }[]): string[] {
  return sent.map(({ calls }) => calls.join(''));
}

/** Calls each letter of the word. */
export function callAll(batch: Batch<string, string>, word: string): Promise<string>[] {
  return word.split('').map(async (letter) => batch.call(letter, patient));
}

/** The errors of rejected calls, as words. */
export async function errorsOf(answers: readonly Promise<string>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(answers);
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : 'none'));
}
