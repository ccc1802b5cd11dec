import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Killed servers may still write files for a moment. */
const remove = 'read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" && exit; sleep 1; done';

/**
 * Makes the folder for all temporary files of this process and its children, some of which run as other users. It is
 * removed when this process ends in any way.
 */
export function makeTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-tests-'));
  chmodSync(folder, 0o1777);
  process.env['TMPDIR'] = folder;
  spawn('/bin/sh', ['-c', remove, folder], { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] }).unref();
  return folder;
}
