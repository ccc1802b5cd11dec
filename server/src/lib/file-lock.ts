import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { errorCode } from './error-code.ts';

export interface FileLock {
  /** Releases the lock. Idempotent. */
  release(): void;
}

/** SQLite's result code for "another connection holds the lock". */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

/**
 * Takes an exclusive lock on the file `path` (created when absent, left empty). Returns undefined at once when the lock
 * is held, by this process or another. Throws when the file cannot be opened for writing.
 *
 * The kernel releases the lock when the process dies, even by kill -9, and children do not inherit it: no pid, time-out
 * or liveness check is needed. Node has no `fcntl`; SQLite, which ships with Node, takes POSIX locks on Linux and macOS
 * alike. Nothing is ever written. The holder must not open the file by other means: POSIX drops a process's locks when
 * it closes any descriptor of the file.
 *
 * The file is private: anyone who can open it, even read-only, can lock it.
 */
export function tryLock(path: string): FileLock | undefined {
  makePrivate(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** Never opens an existing file: closing it would drop a lock of this process. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    chmodSync(path, 0o600);
  }
}
