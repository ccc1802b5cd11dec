import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadTypes } from './load-types.ts';
import { arrivalTimes } from './schedule.ts';
import { crud } from './steps.ts';

const stress = loadTypes.stress.phases(5000, 120);

test("stress with 5,000 users and 120 s is the guide's run: 67,500 users, 337,500 requests", () => {
  assert.deepEqual(stress, [
    { users: 2500, seconds: 30 },
    { users: 60_000, seconds: 60 },
    { users: 5000, seconds: 30 },
  ]);
  assert.equal(arrivalTimes(stress).length, 67_500);
  assert.equal(arrivalTimes(stress).length * crud.length, 337_500);
});

test('each phase starts with a user, and distributes its users evenly', () => {
  const times = arrivalTimes(stress);
  assert.deepEqual([times[0], times[1], times[2499]], [0, 12, 29_988]);
  assert.deepEqual([times[2500], times[2501], times[62_499]], [30_000, 30_001, 89_999]);
  assert.deepEqual([times[62_500], times[62_501], times[67_499]], [90_000, 90_006, 119_994]);
});

test('another duration scales the three phases', () => {
  assert.deepEqual(loadTypes.stress.phases(500, 30), [
    { users: 250, seconds: 7.5 },
    { users: 1500, seconds: 15 },
    { users: 500, seconds: 7.5 },
  ]);
});

test("a user makes the guide's five requests in its order, with its think times", () => {
  assert.deepEqual(
    crud.map(({ name, thinkMs }) => [name, ...thinkMs]),
    [
      ['Create User', 0, 0],
      ['Get All Users', 100, 500],
      ['Get User By ID', 50, 200],
      ['Update User', 50, 200],
      ['Delete User', 50, 200],
    ],
  );
});

test('every type has an arrival, also for one user and one second', () => {
  for (const type of Object.values(loadTypes)) assert.ok(arrivalTimes(type.phases(1, 1)).length > 0, type.about);
});
