import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { callAll, gone, patient, Poison, scriptBatch, settle, words } from '../../test/scripted-batch.ts';
import { refusedWith } from '../../test/pools.ts';
import { deferred } from './batch.ts';

describe('a caller that aborts', () => {
  test('before its call is sent removes it', async () => {
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

  test('does not affect callers that share its entry, earlier or later', async () => {
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

  test('before its call sends nothing', async () => {
    const { batch, sent } = scriptBatch();
    await assert.rejects(batch.call('a', AbortSignal.abort(gone)), gone);
    await settle();
    assert.deepEqual(words(sent), []);
  });

  test('cancels a running read only if it was its last caller', async () => {
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

  test('never cancels a sent write, and is answered when it completes', async () => {
    const { batch, sent } = scriptBatch({ isInterruptible: false });
    const caller = new AbortController();
    const answer = batch.call('a', caller.signal);
    await settle();
    caller.abort(gone);
    assert.equal(sent[0]?.interrupt.aborted, false);
    sent[0].answer();
    assert.equal(await answer, 'a!');
  });

  test('also cancels a read that was repeated because of a failing call', async () => {
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
  test('is bounded, and includes calls that share an entry', async () => {
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

  test('too long is refused, and nothing is sent', async () => {
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

  test('is measured for each caller from its own arrival, also with a shared entry', async () => {
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

describe('when a server does not answer, a call is answered at its deadline', () => {
  test('also while it is queued', async () => {
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

  test('also when the statement cannot be cancelled', async () => {
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

  test('and a statement has the latest deadline of its callers, while each caller has its own', async () => {
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

  test('and deferred or halved calls keep their deadline', async () => {
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

test('when the server is known to be unavailable, all calls reject at once, statements are cancelled, and new calls are served', async () => {
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
