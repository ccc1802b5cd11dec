import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { callAll, errorsOf, gone, patient, scriptBatch, settle, words } from '../../test/scripted-batch.ts';

describe('under pressure, calls', () => {
  /** A batch whose last statement took 1 ms and was sent 1 ms ago; the next one is due 12 ms after it. */
  async function spaced(maxSize: number): Promise<ReturnType<typeof scriptBatch>> {
    const scripted = scriptBatch({ maxSize, pressure: () => 1 });
    const first = scripted.batch.call('a', patient);
    await settle();
    scripted.clock.nowMs += 1;
    scripted.sent[0]?.answer();
    await first;
    return scripted;
  }

  test('wait for further calls, and are sent together at the end of the interval', async (t) => {
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

  test('that fill a batch are sent at once', async (t) => {
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

  test('reject at once when the server is known to be unavailable', async (t) => {
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
