import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isSession, openSession, sessionOf } from './operator-session.ts';

const week = 7 * 24 * 3_600_000;
const session = sessionOf(openSession('secret', 1_000)) ?? '';

test('a session holds for a week, for the token it was opened with', () => {
  assert.equal(isSession(session, 'secret', 1_000 + week - 1), true);
  assert.equal(isSession(session, 'secret', 1_000 + week), false);
  assert.equal(isSession(session, 'another', 1_000), false);
});

test('what is no session, or was made longer, is none', () => {
  const [ends = '', signature = ''] = session.split('.');
  const forged = [`${Number(ends) + 1}.${signature}`, `${ends}.${'0'.repeat(64)}`, `${ends}.`, ends, '', '.', 'x.y'];
  for (const one of [...forged, undefined, `${session}0`, `1${session}`])
    assert.equal(isSession(one, 'secret', 0), false, String(one));
});

test('it is found among other cookies', () => {
  assert.equal(sessionOf(`a=b; messenger_ops=${session}; c=d`), session);
  assert.equal(sessionOf(`not_messenger_ops=${session}`), undefined);
  assert.equal(sessionOf(undefined), undefined);
});
