/** No call is lost in any order of events: random schedules of calls, answers, failures and aborts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  array,
  assert as property,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from 'fast-check';

import { Poison, scriptBatch, settle, type ScriptedBatch, type SentStatement } from '../../test/scripted-batch.ts';
import { deferred } from './batch.ts';

type Step =
  | { readonly kind: 'call'; readonly letter: string }
  | { readonly kind: 'answer'; readonly which: number }
  | { readonly kind: 'away'; readonly which: number }
  | { readonly kind: 'leave'; readonly which: number }
  | { readonly kind: 'turn' }
  | { readonly kind: 'rejectAll' };

/** A call of the schedule, and its result. */
interface Made {
  readonly letter: string;
  readonly caller: AbortController;
  /** Statements sent before it arrived. */
  readonly sentBefore: number;
  outcome: string | undefined;
}

const steps = array(
  oneof(
    {
      weight: 8,
      arbitrary: record({ kind: constantFrom('call' as const), letter: constantFrom('a', 'a', 'b', 'c', 'P', 'S') }),
    },
    { weight: 3, arbitrary: record({ kind: constantFrom('answer' as const), which: nat(20) }) },
    { weight: 1, arbitrary: record({ kind: constantFrom('away' as const), which: nat(20) }) },
    { weight: 2, arbitrary: record({ kind: constantFrom('leave' as const), which: nat(20) }) },
    { weight: 4, arbitrary: record({ kind: constantFrom('turn' as const) }) },
    { weight: 1, arbitrary: record({ kind: constantFrom('rejectAll' as const) }) },
  ),
  { maxLength: 60 },
);

const away = new Error('away');

/** `P` poisons its statement; `S` is deferred. An answer names its statement. */
function end(sent: readonly SentStatement[], index: number): void {
  const { calls = [], answer, fail } = sent[index] ?? {};
  if (calls.includes('P')) fail?.(new Poison('P'));
  else answer?.(calls.map((call) => (call === 'S' && calls.length > 1 ? deferred : `${call} of ${index}`)));
}

function make({ batch, sent }: ScriptedBatch, letter: string): Made {
  const made: Made = { letter, caller: new AbortController(), sentBefore: sent.length, outcome: undefined };
  const note = (outcome: string): void => {
    assert.equal(made.outcome, undefined, 'a call ends once');
    made.outcome = outcome;
  };
  batch.call(letter, made.caller.signal).then(note, (error: unknown) => note(String(error)));
  return made;
}

async function play(scripted: ScriptedBatch, schedule: readonly Step[]): Promise<Made[]> {
  const { batch, sent } = scripted;
  const made: Made[] = [];
  for (const step of schedule) {
    if (step.kind === 'call') made.push(make(scripted, step.letter));
    else if (step.kind === 'leave') made[step.which % Math.max(1, made.length)]?.caller.abort(new Error('gone'));
    else if (step.kind === 'away') sent[step.which]?.fail(away);
    else if (step.kind === 'turn') await settle();
    else if (step.kind === 'rejectAll') batch.rejectAll(away);
    else end(sent, step.which);
  }
  return made;
}

async function endEverything({ sent }: ScriptedBatch): Promise<void> {
  await settle();
  for (let index = 0; index < sent.length; index += 1) {
    end(sent, index);
    await settle();
  }
}

function judge({ letter, caller, sentBefore, outcome }: Made): void {
  assert.notEqual(outcome, undefined, `the call ${letter} was forgotten`);
  if (outcome === 'Error: away') return;
  if (outcome === 'Error: gone') return assert.ok(caller.signal.aborted);
  if (letter === 'P') return assert.equal(outcome, 'Error: P');
  const [, of] = new RegExp(`^${letter} of (\\d+)$`, 'u').exec(String(outcome)) ?? [];
  assert.ok(Number(of) >= sentBefore, `${letter} came after ${sentBefore} statements, and was told: ${outcome}`);
}

const options = record({
  maxInFlight: integer({ min: 1, max: 3 }),
  maxSize: integer({ min: 1, max: 4 }),
  isInterruptible: boolean(),
  isShared: boolean(),
});

test('every call ends once, with its own result of a statement started after it, and nothing is left', async () => {
  await property(
    asyncProperty(options, steps, async ({ isShared, ...limits }, schedule) => {
      const scripted = scriptBatch({ ...limits, shareBy: isShared ? (call) => call : undefined });
      const made = await play(scripted, schedule);
      await endEverything(scripted);
      for (const one of made) judge(one);
      assert.deepEqual(scripted.batch.load, { waiting: 0, inFlight: 0 });
    }),
    { numRuns: 1_000 },
  );
});
