import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { callAll, errorsOf, gone, patient, Poison, scriptBatch, settle, words } from '../../test/scripted-batch.ts';
import { deferred, type Sending } from './batch.ts';

describe('calls', () => {
  test('of one event-loop turn are sent together, and each gets its own result', async () => {
    const { batch, sent } = scriptBatch();
    const answers = callAll(batch, 'abc');
    await settle();
    assert.deepEqual(words(sent), ['abc']);
    sent[0]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'c!']);
    assert.deepEqual(batch.load, { waiting: 0, inFlight: 0 });
  });

  test('that share an entry count separately: after several, the next call waits for the end of its turn', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const first = callAll(batch, 'aa');
    await settle();
    sent[0]?.answer();
    await Promise.all(first);
    const next = callAll(batch, 'aa');
    await settle();
    assert.deepEqual(words(sent), ['a', 'a']);
    sent[1]?.answer();
    assert.deepEqual(await Promise.all(next), ['a!', 'a!']);
  });

  test('never join a running statement, which could return older data', async () => {
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

  test('that arrive while all statement slots are in use wait, and are sent together', async () => {
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

  test('whose first caller aborted are attributed to the next one', async () => {
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

  test('do not exceed the maximum size of a statement', async () => {
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

  test('are sent at once, one by one, with batching off', async () => {
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

  test('are sent at once when nothing is in flight and the last batch was one call', async () => {
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

  test('of one key share an entry and its result until they are sent', async () => {
    const { batch, sent } = scriptBatch({ shareBy: (call) => call });
    const answers = callAll(batch, 'aba');
    await settle();
    assert.deepEqual(words(sent), ['ab']);
    sent[0]?.answer();
    assert.deepEqual(await Promise.all(answers), ['a!', 'b!', 'a!']);
  });

  test('all fail when their statement returns a different number of results', async () => {
    const { batch, sent } = scriptBatch();
    const errors = errorsOf(callAll(batch, 'ab'));
    await settle();
    sent[0]?.answer(['a!']);
    for (const error of await errors) assert.match(error, /a different number of results/u);
  });
});

describe('a failing call', () => {
  test('fails with its own error, costs few statements, and does not affect other calls', async () => {
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

  test('is isolated only for errors of its arguments: other errors fail all calls, once', async () => {
    const { batch, sent } = scriptBatch();
    const errors = errorsOf(callAll(batch, 'ab'));
    await settle();
    sent[0]?.fail(new Error('the server is away'));
    assert.deepEqual(await errors, ['Error: the server is away', 'Error: the server is away']);
    assert.equal(sent.length, 1);
  });

  test('alone in its statement fails without a retry', async () => {
    const { batch, sent } = scriptBatch();
    const answer = batch.call('a', patient);
    await settle();
    sent[0]?.fail(new Poison('bad'));
    await assert.rejects(answer, /bad/u);
    assert.equal(sent.length, 1);
  });
});

describe('calls for the same row', () => {
  const holdBy = (call: string): string => call.toLowerCase();

  test('wait while one of them is in flight, and are sent together; others do not wait', async () => {
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

  test('wait for the one that is sent alone when all are deferred', async () => {
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

  test('are removed when their caller aborts, also while they wait for another one', async () => {
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

test('a deferred call delays neither its batch nor later calls', async () => {
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
