/**
 * One install at a time per checkout: `npm ci` empties node_modules first, so concurrent installs would destroy each
 * other's work.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 200;
const waitMs = 10 * 60_000;

/** Runs `work` while no other process installs into `root`. Waits for at most ten minutes. */
export async function withInstallLock(root, work) {
  // Not in the temporary folder, where another user could place a link for root to follow.
  const file = join(root, '.installing');
  await take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file) {
  const giveUpAt = Date.now() + waitMs;
  for (let holder = tryTake(file), said = false; holder !== process.pid; holder = tryTake(file)) {
    if (!isAlive(holder)) {
      removeStale(file, holder);
      continue;
    }
    if (!said) console.error(`Another command (process ${holder}) is installing the packages; waiting for it …`);
    said = true;
    if (Date.now() > giveUpAt) throw new Error(`Process ${holder} has held ${file} for too long; is it stuck?`);
    await sleep(pollMs);
  }
}

/**
 * The holder of the lock after the attempt: this process, another one, or undefined when it was just released. A link
 * appears together with its content; a file that is created and then written could be seen empty, and taken for stale.
 */
function tryTake(file) {
  const mine = `${file}.${process.pid}`;
  try {
    writeFileSync(mine, String(process.pid));
    linkSync(mine, file);
    return process.pid;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return holderOf(file);
  } finally {
    rmSync(mine, { force: true });
  }
}

function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Renaming is atomic: of several processes that find the same dead holder, one gets the file; a fresh lock is put back.
 */
function removeStale(file, deadHolder) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (holderOf(aside) !== deadHolder) renameSync(aside, file);
    rmSync(aside, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}
