import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Killed servers may still write files for a moment. */
const remove = 'read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" && exit; sleep 1; done';

/** For the data folders that exist at the same time. */
const neededBytes = 4 * 1_024 ** 3;
const memoryDisk = '/dev/shm';

/** In memory if there is room: creating, copying and removing databases then takes a third of the CPU time. */
function parentFolder(): string {
  if (process.env['TMPDIR'] !== undefined) return tmpdir();
  try {
    const { bavail, bsize } = statfsSync(memoryDisk);
    const isExecutable = !/ \/dev\/shm \S+ \S*noexec/u.test(readFileSync('/proc/mounts', 'utf8'));
    return isExecutable && Math.min(bavail * bsize, freemem()) >= neededBytes ? memoryDisk : tmpdir();
  } catch {
    return tmpdir();
  }
}

/**
 * Makes the folder for all temporary files of this process and its children, some of which run as other users. It is
 * removed when this process ends in any way.
 */
export function makeTemporaryFolder(): string {
  const folder = mkdtempSync(join(parentFolder(), 'messenger-tests-'));
  chmodSync(folder, 0o1777);
  process.env['TMPDIR'] = folder;
  spawn('/bin/sh', ['-c', remove, folder], { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] }).unref();
  return folder;
}
