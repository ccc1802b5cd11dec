import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WrongTokenEvents } from './wrong-token-events.ts';

test('the first wrong token is an event at once; later ones share one event per minute, with count and address', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const told: string[] = [];
  const events = new WrongTokenEvents(({ kind, level, text }) => told.push(`${kind} ${level}: ${text}`));
  events.add('192.0.2.1');
  assert.deepEqual(told.splice(0), ['access warn: A wrong METRICS_TOKEN was sent from 192.0.2.1']);
  for (let n = 1; n <= 30; n += 1) events.add(`198.51.100.${n}`);
  assert.deepEqual(told, []);
  t.mock.timers.tick(60_000);
  assert.deepEqual(told.splice(0), [
    'access warn: 30 wrong METRICS_TOKENs were sent within a minute, the last from 198.51.100.30',
  ]);
  t.mock.timers.tick(60_000);
  assert.deepEqual(told, []);
  events.add('192.0.2.1');
  assert.equal(told.length, 1, 'after a quiet minute, the next is the first again');
  events.stop();
});
