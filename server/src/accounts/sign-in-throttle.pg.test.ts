import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { usePools } from '../../test/pools.ts';
import { AppError } from '../lib/app-error.ts';
import { SignInThrottle } from './sign-in-throttle.ts';
import { sweepThrottles, Throttles } from './throttles.ts';

const database = useDatabase();
const open = usePools(database);
const create = (): SignInThrottle => new SignInThrottle(new Throttles(open('write')));

/** Fails attempts until one is refused, or `most` are made. Resolves with how many were made, and the seconds to wait. */
async function guess(
  throttle: SignInThrottle,
  { name, address, most = 1_000 }: { name: () => string; address: () => string; most?: number },
): Promise<{ made: number; waitSeconds: number | undefined }> {
  for (let made = 0; made < most; made += 1) {
    const waitSeconds = await refusalOf(throttle.begin(name(), address()));
    if (waitSeconds !== undefined) return { made, waitSeconds };
  }
  return { made: most, waitSeconds: undefined };
}

async function refusalOf(attempt: Promise<unknown>): Promise<number | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    assert(error instanceof AppError && error.code === 'too_many_attempts', String(error));
    return error.retryAfterSeconds;
  }
}

/** As if time had passed. */
async function pass(seconds: number): Promise<void> {
  await database().sql(`update throttles set full_at = full_at - $1 * interval '1 second'`, [seconds]);
}

const always = (text: string) => (): string => text;

test('five wrong passwords for an account from one address are allowed, then one every twelve seconds', async () => {
  const throttle = create();
  const mine = { name: always(randomUUID()), address: always('192.0.2.1') };
  const { made, waitSeconds } = await guess(throttle, mine);
  assert.equal(made, 5);
  assert.ok(waitSeconds !== undefined && waitSeconds > 8 && waitSeconds <= 12, String(waitSeconds));
  await pass(waitSeconds);
  assert.equal((await guess(throttle, mine)).made, 1);
  await pass(60);
  assert.equal((await guess(throttle, mine)).made, 5);
});

test('a refused attempt costs nothing: hammering does not prolong the wait', async () => {
  const throttle = create();
  const mine = { name: always(randomUUID()), address: always('192.0.2.2') };
  await guess(throttle, mine);
  for (let n = 0; n < 50; n += 1)
    assert.notEqual(await refusalOf(throttle.begin(mine.name(), mine.address())), undefined);
  await pass(12);
  assert.equal(await refusalOf(throttle.begin(mine.name(), mine.address())), undefined);
});

test('of concurrent attempts through several workers, no more than allowed are made', async () => {
  const throttles = [create(), create(), create(), create()];
  const name = randomUUID();
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => refusalOf((throttles[n % 4] ?? create()).begin(name, '192.0.2.3'))),
  );
  assert.equal(outcomes.filter((wait) => wait === undefined).length, 5);
  assert.ok(outcomes.every((wait) => wait === undefined || (wait >= 1 && wait <= 60)));
});

test('one address gets thirty wrong passwords per minute, whatever the names', async () => {
  const { made, waitSeconds } = await guess(create(), { name: randomUUID, address: always('192.0.2.4') });
  assert.ok(made >= 30 && made <= 33, String(made));
  assert.ok(waitSeconds !== undefined && waitSeconds <= 2);
});

test('a right password does not count', async () => {
  const throttle = create();
  const mine = { name: always(randomUUID()), address: always('192.0.2.5') };
  for (let n = 0; n < 100; n += 1) await throttle.succeed(await throttle.begin(mine.name(), mine.address()));
  await guess(throttle, { ...mine, most: 4 });
  await throttle.succeed(await throttle.begin(mine.name(), mine.address()));
  assert.equal((await guess(throttle, mine)).made, 5, 'also the wrong ones before it are forgotten');
});

test('during an attack on an account from many addresses, each address still has one attempt per minute', async () => {
  const throttle = create();
  const name = always(randomUUID());
  let n = 0;
  const attack = { name, address: () => `198.51.100.${Math.floor((n += 1) / 4)}`, most: 100 };
  await guess(throttle, attack);
  const owner = { name, address: always('203.0.113.1'), most: 1 };
  const underAttack = async () => {
    await guess(throttle, { ...attack, most: 10 });
    return await guess(throttle, owner);
  };
  assert.equal((await underAttack()).made, 1, 'the owner signs in while the attack goes on');
  const { waitSeconds } = await underAttack();
  assert.ok(waitSeconds !== undefined && waitSeconds > 12 && waitSeconds <= 60, String(waitSeconds));
  await pass(waitSeconds);
  assert.equal((await underAttack()).made, 1);
});

test('no wait is longer than a minute, after any number of attempts', async () => {
  const throttle = create();
  const name = randomUUID();
  const waits: number[] = [];
  for (let n = 0; n < 300; n += 1) {
    const wait = await refusalOf(throttle.begin(name, `198.18.0.${n % 40}`));
    if (wait !== undefined) waits.push(wait);
  }
  assert.ok(waits.length > 100 && Math.max(...waits) <= 60, `${waits.length} waits, up to ${Math.max(...waits)} s`);
});

test('new accounts of one address count like wrong passwords', async () => {
  const throttle = create();
  let made = 0;
  while (made < 100 && (await refusalOf(throttle.signUp('192.0.2.6'))) === undefined) made += 1;
  assert.ok(made >= 30 && made <= 33, String(made));
});

test('user input is not stored', async () => {
  await create().begin('a name, or a password by mistake', '192.0.2.7');
  const rows = await database().sql<{ key: string }>('select key from throttles');
  assert.ok(rows.length > 0 && rows.every(({ key }) => /^[\w-]{43}$/u.test(key)));
});

test('rows of full buckets are removed, the others stay', async () => {
  await database().sql('truncate throttles');
  await create().begin('old', '192.0.2.8');
  await pass(61);
  await create().begin('new', '192.0.2.9');
  assert.equal(await open('write').transaction(sweepThrottles), 3);
  assert.equal((await database().sql('select 1 from throttles')).length, 3);
});
