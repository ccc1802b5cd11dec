import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Question } from './question.ts';

test('concurrent requests share a reply, and later ones get a new one', async () => {
  let sent = 0;
  const question = new Question<string>(() => (sent += 1));
  const asking = [question.ask(1_000), question.ask(1_000)];
  question.answered('first');
  assert.deepEqual(await Promise.all(asking), ['first', 'first']);
  const again = question.ask(1_000);
  question.answered('second');
  assert.equal(await again, 'second');
  assert.equal(sent, 2);
});

test('a silent process is awaited up to the deadline, without further requests', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let sent = 0;
  const question = new Question<string>(() => (sent += 1));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const asking = question.ask(900);
    t.mock.timers.tick(900);
    assert.equal(await asking, undefined);
  }
  assert.equal(sent, 1);
  question.answered('late');
  const asking = question.ask(900);
  assert.equal(sent, 2);
  question.answered('in time');
  assert.equal(await asking, 'in time');
});

test('requests to an ended process do not wait', async () => {
  const question = new Question<string>(() => undefined);
  const asking = question.ask(60_000);
  question.end();
  assert.equal(await asking, undefined);
});
