import assert from 'node:assert/strict';
import { test } from 'node:test';

import { communitySize, layOut, weightOf } from './layout.ts';

test('2,000 people share conversations of 2 to 200 members, each with people of the own community', () => {
  const conversations = layOut(2_000, Math.random);
  const sizes = conversations.map((members) => members.length);
  assert.equal(Math.min(...sizes), 2);
  assert.equal(Math.max(...sizes), 200);
  for (const members of conversations) {
    assert.equal(new Set(members).size, members.length);
    assert.equal(new Set(members.map((person) => Math.floor(person / communitySize))).size, 1);
  }
  const perPerson = Array.from({ length: 2_000 }, () => 0);
  for (const person of conversations.flat()) perPerson[person] = (perPerson[person] ?? 0) + 1;
  assert(Math.min(...perPerson) >= 5, 'everybody is in several conversations');
});

for (const people of [2, 3, 5, 41, 401])
  test(`${people} people: nobody is alone in a conversation, no two have two direct ones`, () => {
    const conversations = layOut(people, Math.random);
    assert(conversations.every((members) => members.length > 1));
    const pairs = conversations
      .filter(({ length }) => length === 2)
      .map((pair) => pair.toSorted((a, b) => a - b).join(' '));
    assert.equal(new Set(pairs).size, pairs.length);
  });

test('small conversations get more attention', () => {
  assert.deepEqual([2, 3, 8, 30, 200, 201].map(weightOf), [6, 4, 4, 2, 1, 1]);
});
