import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { tryLock } from './file-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'messenger-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const holder = `
  const { tryLock } = await import(process.argv[1]);
  process.stdout.write(tryLock(process.argv[2]) === undefined ? 'refused' : 'locked');
  setInterval(() => {}, 60_000);
`;

/** Another process that tries to take the lock and reports the result. */
async function contend(path: string): Promise<{ child: ChildProcess; said: string }> {
  const module = new URL('./file-lock.ts', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder, module, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
  return { child, said: String(said[0]) };
}

async function kill9(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a second lock in the same process is refused until the first is released', () => {
  const path = join(folder, 'same-process');
  const lock = tryLock(path);
  assert.ok(lock);
  assert.equal(tryLock(path), undefined);
  lock.release();
  lock.release();
  const again = tryLock(path);
  assert.ok(again);
  again.release();
});

test('a lock held by another process is refused', async () => {
  const path = join(folder, 'other-process');
  const lock = tryLock(path);
  const { child, said } = await contend(path);
  await kill9(child);
  lock?.release();
  assert.equal(said, 'refused');
});

test('kill -9 releases the lock of a process', async () => {
  const path = join(folder, 'killed');
  const { child, said } = await contend(path);
  assert.equal(said, 'locked');
  assert.equal(tryLock(path), undefined);
  await kill9(child);
  const lock = tryLock(path);
  assert.ok(lock);
  lock.release();
});

test('a lock is a single empty file', () => {
  const alone = mkdtempSync(join(folder, 'alone-'));
  const lock = tryLock(join(alone, 'lock'));
  assert.deepEqual(readdirSync(alone), ['lock']);
  assert.equal(statSync(join(alone, 'lock')).size, 0);
  lock?.release();
});

test('a lock file becomes private: another user who can read it could lock it', () => {
  const path = join(folder, 'private');
  writeFileSync(path, '', { mode: 0o644 });
  const lock = tryLock(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  lock?.release();
  const created = tryLock(join(folder, 'created'));
  assert.equal(statSync(join(folder, 'created')).mode & 0o777, 0o600);
  created?.release();
});

test('a file that cannot be opened is an error, not a refusal', () => {
  assert.throws(() => tryLock(join(folder, 'missing', 'lock')));
});
