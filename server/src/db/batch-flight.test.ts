import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Flight, Waiter } from './batch-flight.ts';

const unexpected = (): never => assert.fail('no call fails');
const isLeft = (result: unknown): result is symbol => typeof result === 'symbol';

test('each caller belongs to one part of a flight, and gets the result of its own call', () => {
  const flight = new Flight<string, string>(false);
  const answers = new Map<string, string>();
  const { signal } = new AbortController();
  for (const call of ['a', 'b', 'c', 'd']) {
    const resolve = (result: string): void => void answers.set(call, result);
    const options = { resolve, reject: unexpected, signal, requester: undefined, since: 0, onLeave: unexpected };
    flight.add(new Waiter(call, options), 10);
  }
  // `c` has the place of `b` in the first part.
  const parts = [flight.part([0, 2]), flight.part([1, 3])];
  for (const part of parts.toReversed())
    part.settle(
      part.calls.map((call) => `result of ${call}`),
      isLeft,
    );
  for (const call of ['a', 'b', 'c', 'd']) assert.equal(answers.get(call), `result of ${call}`);
});
