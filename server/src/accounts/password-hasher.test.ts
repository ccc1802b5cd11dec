import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AppError } from '../lib/app-error.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import { createHasher } from './password-hasher.ts';

const password = 'rg yzb olwm';
const hasher = createHasher();

test('a hash carries algorithm, parameters and its own salt', async () => {
  const stored = await hasher.hash(password);
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/u);
  assert.notEqual(stored, await hasher.hash(password));
  assert.deepEqual(await hasher.verify(password, stored), { ok: true, needsRehash: false });
  assert.deepEqual(await hasher.verify(`${password} `, stored), { ok: false, needsRehash: false });
});

test('a password typed with other code points for the same characters matches', async () => {
  const stored = await hasher.hash('caf\u00E9 ａt noon');
  assert.equal((await hasher.verify('cafe\u0301 at noon', stored)).ok, true);
});

// From test.c of the reference implementation, github.com/P-H-C/phc-winner-argon2.
const ofReference = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';

test('a hash with older parameters is checked with those, and reported as outdated', async () => {
  assert.deepEqual(await hasher.verify('password', ofReference), { ok: true, needsRehash: true });
  assert.deepEqual(await hasher.verify('passwore', ofReference), { ok: false, needsRehash: false });
});

test('stored text in another format is a defect, and the error does not contain it', async () => {
  for (const text of ['', 'plain text', '$2b$10$abcdefghijklmnopqrstuv', ofReference.replace('v=19', 'v=16')])
    await assert.rejects(hasher.verify(password, text), {
      message: 'a stored password hash is not in the expected form',
    });
});

test('without a stored hash a check costs as much as with one, and fails', async () => {
  const stored = await hasher.hash(password);
  const cpuUs = async (hash: string | undefined): Promise<number> => {
    const before = process.cpuUsage();
    for (let n = 0; n < 4; n += 1) assert.equal((await hasher.verify('another one', hash)).ok, false);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const [known, unknown] = [await cpuUs(stored), await cpuUs(undefined)];
  assert.ok(unknown > known / 3 && unknown < known * 3, `${unknown} µs against ${known} µs`);
});

test('concurrent and waiting hashes are bounded; a further one is refused early', async () => {
  const narrow = createHasher({ atOnce: 1, maxWaiting: 2 });
  const hashes = [1, 2, 3].map(() => narrow.hash(password));
  await assert.rejects(narrow.hash(password), (error) => error instanceof AppError && error.code === 'overloaded');
  assert.throws(() => narrow.admit(), { code: 'overloaded' });
  assert.equal((await Promise.all(hashes)).length, 3);
  narrow.admit();
  assert.equal((await narrow.verify(password, await narrow.hash(password))).ok, true, 'the places are free again');
});

test('many hashes in a row are paused, and a burst is not', async () => {
  const share = 0.02; // A pause of more than a second.
  const paused = createHasher({ share, burstMs: 0, maxWaitMs: 100 });
  await paused.hash(password);
  await assert.rejects(paused.hash(password), { code: 'overloaded' });
  const patient = createHasher({ share, burstMs: 60_000, maxWaitMs: 60_000 });
  for (let n = 0; n < 3; n += 1) await patient.hash(password);
});

test('a hash that waits too long is refused', async () => {
  const impatient = createHasher({ maxWaitMs: 0 });
  const first = impatient.hash(password);
  await assert.rejects(impatient.hash(password), { code: 'overloaded' });
  await first;
});

test('a client that disconnects leaves the queue', async () => {
  const narrow = createHasher({ maxWaiting: 1 });
  const first = narrow.hash(password);
  const lifetime = new LightLifetime();
  const second = narrow.verify(password, undefined, lifetime);
  const gone = new Error('gone');
  lifetime.abort(gone);
  await assert.rejects(second, gone);
  const third = narrow.hash(password);
  await Promise.all([first, third]);
});
