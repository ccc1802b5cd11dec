import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Poison, scriptBatch, settle } from '../../test/scripted-batch.ts';
import { refusedWith } from '../../test/pools.ts';
import { deferred, type Batch, type Sending } from './batch.ts';

const patient = new AbortController().signal;
const gone = new Error('the client went away');

/** The calls of each statement, as words. */
function words(sent: readonly { readonly calls: readonly string[] }[]): string[] {
  return sent.map(({ calls }) => calls.join(''));
}

/** Calls each letter of the word. */
function callAll(batch: Batch<string, string>, word: string): Promise<string>[] {
  return word.split('').map(async (letter) => batch.call(letter, patient));
}

/** The errors of rejected calls, as words. */
async function errorsOf(answers: readonly Promise<string>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(answers);
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : 'none'));
}

describe('under pressure, calls', () => {
  /** A batch whose last statement took 1 ms and left 1 ms ago; the next one leaves 12 ms after it. */
  async function spaced(maxSize: number): Promise<ReturnType<typeof scriptBatch>> {
    const scripted = scriptBatch({ maxSize, pressure: () => 1 });
    const first = scripted.batch.call('a', patient);
    await settle();
    scripted.clock.nowMs += 1;
    scripted.sent[0]?.answer();
    await first;
    return scripted;
  }

  test('wait for company, and leave together when the spacing is over', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { batch, sent, clock } = await spaced(100);
    const answers = callAll(batch, 'b');
    await settle();
    clock.nowMs += 5;
    answers.push(...callAll(batch, 'c'));
    await settle();
    t.mock.timers.tick(10);
    assert.deepEqual(words(sent), ['a']);
    t.mock.timers.tick(1);
    assert.deepEqual(words(sent), ['a', 'bc']);
    sent[1]?.answer();
    assert.deepEqual(await Promise.all(answers), ['b!', 'c!']);
  });

  test('that fill a batch leave at once', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { batch, sent } = await spaced(2);
    const answers = callAll(batch, 'b');
    await settle();
    answers.push(...callAll(batch, 'c'));
    assert.deepEqual(words(sent), ['a', 'bc']);
    sent[1]?.answer();
    await Promise.all(answers);
    t.mock.timers.tick(100);
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('reject at once when the server is known to be away', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { batch, sent } = await spaced(100);
    const answers = callAll(batch, 'b');
    await settle();
    batch.rejectAll(gone);
    assert.deepEqual(await errorsOf(answers), [String(gone)]);
    t.mock.timers.tick(100);
    assert.deepEqual(words(sent), ['a']);
  });
});

describe('calls', () => {
  test('of one turn of the event loop leave together, and each gets its own result', async () => {
    const { batch, sent } = scriptBatch();
    const answers = callAll(batch, 'abc');
    await settle();
    assert.deepEqual(words(sent), ['abc']);
    sent[0]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'c!']);
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('never join a statement that runs already: they would read what is older than they are', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const first = batch.call('a', patient);
    await settle();
    const second = batch.call('a', patient);
    await settle();
    assert.deepEqual(words(sent), ['a']);
    sent[0]?.answer(['old']);
    assert.equal(await first, 'old');
    await settle();
    assert.deepEqual(words(sent), ['a', 'a']);
    sent[1]?.answer(['new']);
    assert.equal(await second, 'new');
  });

  test('that come while as many statements run as may wait, and leave together', async () => {
    const { batch, sent } = scriptBatch({ maxInFlight: 2 });
    const answers: Promise<string>[] = [];
    for (const letter of 'abcd') {
      answers.push(batch.call(letter, patient));
      await settle();
    }
    assert.deepEqual(words(sent), ['a', 'b']);
    assert.deepEqual(batch.load, { waiting: 2, inFlight: 2 });
    sent[1]?.answer();
    await settle();
    assert.deepEqual(words(sent), ['a', 'b', 'cd']);
    sent[0]?.answer();
    sent[2]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'c!', 'd!']);
  });

  test('that were left by who came first are told to be of who came next', async () => {
    const askers: unknown[] = [];
    const one = async (call: string, { requester }: Sending): Promise<string> => {
      askers.push(requester?.requestId);
      return call;
    };
    const { batch } = scriptBatch({ shareBy: (call) => call, one });
    const leaving = new AbortController();
    const left = batch.call('a', leaving.signal, { requestId: 'first' });
    const stayed = batch.call('a', patient, { requestId: 'second' });
    leaving.abort(gone);
    await assert.rejects(left, gone);
    assert.equal(await stayed, 'a');
    await batch.call('b', patient, { requestId: 'third' });
    assert.deepEqual(askers, ['second', 'third']);
  });

  test('are not more in one statement than its size allows', async () => {
    const { batch, sent } = scriptBatch({ maxSize: 2, maxInFlight: 2 });
    const answers = callAll(batch, 'abcde');
    await settle();
    assert.deepEqual(words(sent), ['ab', 'cd']);
    sent[0]?.answer();
    await settle();
    assert.deepEqual(words(sent), ['ab', 'cd', 'e']);
    sent[1]?.answer();
    sent[2]?.answer();
    await Promise.all(answers);
  });

  test('leave at once, one by one, where batches are switched off', async () => {
    const { batch, sent } = scriptBatch({ maxSize: 1, maxInFlight: 2 });
    const answers = callAll(batch, 'abc');
    assert.deepEqual(words(sent), ['a', 'b']);
    sent[0]?.answer();
    await settle();
    assert.deepEqual(words(sent), ['a', 'b', 'c']);
    sent[1]?.answer();
    sent[2]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'c!']);
  });

  test('leave at once when nothing is in flight and the last batch was one call', async () => {
    const { batch, sent } = scriptBatch();
    const first = batch.call('a', patient);
    await settle();
    sent[0]?.answer();
    await first;
    const answers = callAll(batch, 'bcd');
    assert.deepEqual(words(sent), ['a', 'b']);
    sent[1]?.answer();
    await settle();
    sent[2]?.answer();
    await Promise.all(answers);
    assert.deepEqual(words(sent), ['a', 'b', 'cd']);
    const later = callAll(batch, 'ef');
    await settle();
    assert.deepEqual(words(sent), ['a', 'b', 'cd', 'ef']);
    sent[3]?.answer();
    await Promise.all(later);
  });

  test('of one key share a place and its result until they are sent', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const answers = callAll(batch, 'aba');
    await settle();
    assert.deepEqual(words(sent), ['ab']);
    sent[0]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'a!']);
  });

  test('all fail when their statement brings another number of results', async () => {
    const { batch, sent } = scriptBatch();
    const errors = errorsOf(callAll(batch, 'ab'));
    await settle();
    sent[0]?.answer(['a!']);
    for (const error of await errors) assert.match(error, /another number of results/u);
  });
});

describe('a poisonous call', () => {
  test('fails with its own error, costs few statements, and leaves its neighbours unharmed', async () => {
    const { batch, sent } = scriptBatch();
    const made = Array.from({ length: 64 }, async (_, n) => batch.call(n === 41 ? 'poison' : `${n}`, patient));
    const answers = Promise.allSettled(made);
    for (let next = 0; next < sent.length || next === 0; next += 1) {
      await settle();
      const { calls = [], fail, answer } = sent[next] ?? {};
      if (calls.includes('poison')) fail?.(new Poison(`row ${calls.indexOf('poison')}`));
      else answer?.();
      await settle();
    }
    const outcomes = await answers;
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason))),
      outcomes.map((_, n) => (n === 41 ? 'Error: row 0' : `${n}!`)),
    );
    assert.equal(sent.length, 1 + 2 * Math.log2(64));
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('is one that fails by itself: an error that is not the fault of the calls fails all, once', async () => {
    const { batch, sent } = scriptBatch();
    const errors = errorsOf(callAll(batch, 'ab'));
    await settle();
    sent[0]?.fail(new Error('the server is away'));
    assert.deepEqual(await errors, ['Error: the server is away', 'Error: the server is away']);
    assert.equal(sent.length, 1);
  });

  test('that is alone in its statement fails without a second try', async () => {
    const { batch, sent } = scriptBatch();
    const answer = batch.call('a', patient);
    await settle();
    sent[0]?.fail(new Poison('bad'));
    await assert.rejects(answer, /bad/u);
    assert.equal(sent.length, 1);
  });
});

describe('calls for one row', () => {
  const holdBy = (call: string): string => call.toLowerCase();

  test('wait while one of them is in flight, and leave together; others do not wait', async () => {
    const { batch, sent } = scriptBatch({ holdBy, maxInFlight: 2 });
    const answers = callAll(batch, 'a');
    await settle();
    answers.push(...callAll(batch, 'AbaA'));
    await settle();
    assert.deepEqual(words(sent), ['a', 'b']);
    assert.deepEqual(batch.load, { waiting: 3, inFlight: 2 });
    sent[0]?.answer();
    await settle();
    assert.deepEqual(words(sent), ['a', 'b', 'AaA']);
    sent[1]?.answer();
    sent[2]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'A!', 'b!', 'a!', 'A!']);
  });

  test('wait for the one that is made alone when all of them are left out', async () => {
    const { batch, sent } = scriptBatch({ holdBy, maxInFlight: 2 });
    const answers = callAll(batch, 'aAab');
    await settle();
    sent[0]?.answer([deferred, deferred, deferred, 'b!']);
    answers.push(...callAll(batch, 'Ac'));
    await settle();
    assert.deepEqual(words(sent), ['aAab', 'a', 'c']);
    sent[2]?.answer();
    sent[1]?.answer();
    await settle();
    assert.deepEqual(words(sent), ['aAab', 'a', 'c', 'AaA']);
    sent[3]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'A!', 'a!', 'b!', 'A!', 'c!']);
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('leave when their caller does, also while they wait for another one', async () => {
    const { batch, sent } = scriptBatch({ holdBy, maxInFlight: 2 });
    const [first] = callAll(batch, 'a');
    await settle();
    const leaving = new AbortController();
    const left = batch.call('A', leaving.signal);
    leaving.abort(gone);
    await assert.rejects(left, gone);
    sent[0]?.answer();
    await first;
    await settle();
    assert.deepEqual(words(sent), ['a']);
  });
});

test('a call that is to be made alone keeps neither its neighbours waiting nor those who come after', async () => {
  const { batch, sent } = scriptBatch({ isInterruptible: false });
  const [a, b, c] = callAll(batch, 'abc');
  await settle();
  sent[0]?.answer(['a!', deferred, 'c!']);
  assert.deepEqual(await Promise.all([a, c]), ['a!', 'c!']);
  const next = batch.call('d', patient);
  await settle();
  assert.deepEqual(words(sent), ['abc', 'b', 'd']);
  sent[2]?.answer();
  assert.equal(await next, 'd!');
  sent[1]?.answer();
  assert.equal(await b, 'b!');
  assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
});

describe('a caller that leaves', () => {
  test('before its call is sent takes it along', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const caller = new AbortController();
    const left = batch.call('a', caller.signal);
    const stays = batch.call('b', patient);
    caller.abort(gone);
    await assert.rejects(left, gone);
    assert.deepEqual(batch.load, { waiting: 1, inFlight: 0 });
    await settle();
    assert.deepEqual(words(sent), ['b']);
    sent[0]?.answer();
    await stays;
  });

  test('leaves the place to those who share it, also to the one who comes after', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const caller = new AbortController();
    const left = batch.call('a', caller.signal);
    const stays = batch.call('a', patient);
    caller.abort(gone);
    await assert.rejects(left, gone);
    const joins = batch.call('a', patient);
    await settle();
    sent[0]?.answer();
    assert.deepEqual(await Promise.all([stays, joins]), ['a!', 'a!']);
    assert.deepEqual(words(sent), ['a']);
  });

  test('was gone before it came: nothing is sent', async () => {
    const { batch, sent } = scriptBatch();
    await assert.rejects(batch.call('a', AbortSignal.abort(gone)), gone);
    await settle();
    assert.deepEqual(words(sent), []);
  });

  test('ends a running read only when it was the last one who waited for it', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const callers = Array.from({ length: 3 }, () => new AbortController());
    const answers = callers.map(async ({ signal }, n) => batch.call(n < 2 ? 'a' : 'b', signal));
    await settle();
    for (const [n, caller] of callers.entries()) {
      assert.equal(sent[0]?.interrupt.aborted, false);
      caller.abort(gone);
      await assert.rejects(answers[n] ?? Promise.resolve(), gone);
    }
    assert.equal(sent[0]?.interrupt.aborted, true);
    await settle();
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('never ends a write that was sent, and is answered when it is done', async () => {
    const { batch, sent } = scriptBatch({ isInterruptible: false });
    const caller = new AbortController();
    const answer = batch.call('a', caller.signal);
    await settle();
    caller.abort(gone);
    assert.equal(sent[0]?.interrupt.aborted, false);
    sent[0].answer();
    assert.equal(await answer, 'a!');
  });

  test('also ends the read of which a poisonous neighbour made a second one', async () => {
    const { batch, sent } = scriptBatch();
    const caller = new AbortController();
    const left = batch.call('a', caller.signal);
    const poisonous = batch.call('b', patient);
    await settle();
    sent[0]?.fail(new Poison('bad'));
    await settle();
    assert.deepEqual(words(sent), ['ab', 'a', 'b']);
    caller.abort(gone);
    await assert.rejects(left, gone);
    assert.deepEqual([sent[1]?.interrupt.aborted, sent[2]?.interrupt.aborted], [true, false]);
    sent[2]?.fail(new Poison('bad'));
    await assert.rejects(poisonous, /bad/u);
  });
});

describe('waiting', () => {
  test('has a bound, which counts those who share a place, too', async () => {
    const { batch, sent } = scriptBatch({ maxWaiting: 2, shareBy: (call) => call });
    const running = batch.call('x', patient);
    await settle();
    const waiting = callAll(batch, 'aa');
    await assert.rejects(batch.call('b', patient), refusedWith('pool_exhausted'));
    sent[0]?.answer();
    await running;
    await settle();
    sent[1]?.answer();
    assert.deepEqual(await Promise.all(waiting), ['a!', 'a!']);
  });

  test('for too long is refused, and nothing is sent for it', async () => {
    const { batch, sent, clock } = scriptBatch();
    const running = batch.call('x', patient);
    await settle();
    const late = assert.rejects(batch.call('a', patient), refusedWith('pool_exhausted'));
    clock.nowMs = 500;
    const inTime = batch.call('b', patient);
    clock.nowMs = 1_001;
    sent[0]?.answer();
    await running;
    await late;
    await settle();
    assert.deepEqual(words(sent), ['x', 'b']);
    sent[1]?.answer();
    await inTime;
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('is counted for each caller from its own arrival, also where they share a place', async () => {
    const { batch, sent, clock } = scriptBatch({ shareBy: (call) => call });
    const running = batch.call('x', patient);
    await settle();
    const late = assert.rejects(batch.call('a', patient), refusedWith('pool_exhausted'));
    clock.nowMs = 900;
    const inTime = batch.call('a', patient);
    clock.nowMs = 1_001;
    sent[0]?.answer();
    await running;
    await settle();
    await late;
    sent[1]?.answer();
    assert.equal(await inTime, 'a!');
    assert.deepEqual(words(sent), ['x', 'a']);
  });
});

describe('when a server does not answer, a call is answered by its deadline', () => {
  test('also when it waits for its turn', async () => {
    const { batch, sent, clock } = scriptBatch();
    const running = assert.rejects(batch.call('x', patient), refusedWith('statement_timeout'));
    await settle();
    const waiting = assert.rejects(batch.call('a', patient), refusedWith('pool_exhausted'));
    clock.nowMs = 990;
    await Promise.all([running, waiting]);
    assert.deepEqual(words(sent), ['x']);
    assert.equal(sent[0]?.interrupt.aborted, true, 'nobody waits for the statement');
    await settle();
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('also when what was sent is not to be given up', async () => {
    const { batch, sent, clock } = scriptBatch({ isInterruptible: false });
    const late = assert.rejects(batch.call('x', patient), refusedWith('statement_timeout'));
    await settle();
    clock.nowMs = 990;
    await late;
    assert.equal(sent[0]?.interrupt.aborted, false);
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 1 });
    sent[0].answer();
    await settle();
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('and a statement has the time of its last caller, while each caller has their own', async () => {
    const { batch, sent, clock } = scriptBatch({ shareBy: (call) => call });
    const early = assert.rejects(batch.call('a', patient, undefined, 300), refusedWith('statement_timeout'));
    const shared = batch.call('a', patient);
    const other = batch.call('b', patient, undefined, 700);
    await settle();
    assert.equal(sent[0]?.deadline, 1_000);
    clock.nowMs = 290;
    await early;
    sent[0].answer();
    assert.deepEqual(await Promise.all([shared, other]), ['a!', 'b!']);
  });

  test('and what was left out or halved has no more time than at first', async () => {
    const { batch, sent, clock } = scriptBatch();
    const answers = callAll(batch, 'abc');
    await settle();
    clock.nowMs = 400;
    sent[0]?.fail(new Poison());
    await settle();
    sent[1]?.answer(['a!', deferred]);
    await settle();
    assert.deepEqual(words(sent), ['abc', 'ab', 'c', 'b']);
    for (const { deadline } of sent) assert.equal(deadline, 1_000);
    sent[2]?.answer();
    sent[3]?.answer();
    await Promise.all(answers);
  });
});

test('when the server is known to be away, every call is told at once, what runs is ended, and new calls are served', async () => {
  const { batch, sent } = scriptBatch({ shareBy: (call) => call });
  const running = assert.rejects(batch.call('a', patient), /away/u);
  await settle();
  const waiting = assert.rejects(batch.call('b', patient), /away/u);
  batch.rejectAll(new Error('away'));
  await Promise.all([running, waiting]);
  assert.equal(sent[0]?.interrupt.aborted, true);
  await settle();
  assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  const next = batch.call('b', patient);
  await settle();
  sent[1]?.answer();
  assert.equal(await next, 'b!');
});
