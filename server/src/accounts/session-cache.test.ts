import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { cacheMs, SessionCache } from './session-cache.ts';

const session = { userId: 'ada' };
let nowMs = 0;
let cache: SessionCache<{ readonly userId: string }>;

beforeEach(() => {
  nowMs = 0;
  cache = new SessionCache<{ readonly userId: string }>({ now: () => nowMs });
});

test('a session is cached for a second from the start of its lookup', () => {
  const keep = cache.begin('a');
  nowMs = 400;
  keep(session, 60_000);
  nowMs = cacheMs - 1;
  assert.equal(cache.find('a'), session);
  nowMs = cacheMs;
  assert.equal(cache.find('a'), undefined);
});

test('a session that expires earlier is cached until then', () => {
  cache.begin('a')(session, 300);
  nowMs = 300;
  assert.equal(cache.find('a'), undefined);
});

test('a revocation drops all sessions of the account, and no other', () => {
  const other = { userId: 'grace' };
  cache.begin('a')(session, 60_000);
  cache.begin('b')(session, 60_000);
  cache.begin('c')(other, 60_000);
  cache.forget('ada');
  assert.deepEqual(
    ['a', 'b', 'c'].map((token) => cache.find(token)),
    [undefined, undefined, other],
  );
});

test('the result of a lookup that began before a revocation is not cached', () => {
  const keep = cache.begin('a');
  cache.forget('ada');
  keep(session, 60_000);
  assert.equal(cache.find('a'), undefined);
});

test('expired sessions leave the cache when another one is kept', () => {
  const reads: string[] = [];
  const watched = (userId: string) => ({
    get userId() {
      reads.push(userId);
      return userId;
    },
  });
  cache.begin('a')(watched('ada'), 60_000);
  nowMs = cacheMs;
  cache.begin('b')(watched('grace'), 60_000);
  cache.forget('nobody');
  assert.deepEqual(reads, ['grace']);
});

test('the cache is bounded, and evicts the oldest session', () => {
  for (let n = 0; n <= 10_000; n += 1) cache.begin(String(n))(session, 60_000);
  assert.equal(cache.find('0'), undefined);
  assert.equal(cache.find('1'), session);
});
