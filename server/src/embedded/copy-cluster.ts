import { constants, copyFile, mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { errorCode } from '../lib/error-code.ts';

/** Folders that a base backup creates empty: their content belongs to the running server. */
const emptied: ReadonlySet<string> = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
]);

/** Files of the top folder that describe the state of the original server. */
const left: ReadonlySet<string> = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'tablespace_map.old',
  'standby.signal',
  'recovery.signal',
]);

export interface CopyOptions {
  readonly from: string;
  /** An empty folder. */
  readonly to: string;
  readonly signal: AbortSignal;
}

/** Free space that a copy leaves to the running original, for its next WAL segments. */
const reserveBytes = 64 * 1_048_576;

/** Otherwise a copy on the original's disk would fill it and crash the original. */
async function assertRoom(from: string, to: string): Promise<void> {
  const [{ size }, { bavail, bsize }] = await Promise.all([stat(from), statfs(dirname(to))]);
  if (bavail * bsize - size < reserveBytes) throw new Error(`No space left on device for a copy of ${from}`);
}

async function copyOne(from: string, to: string): Promise<void> {
  try {
    await assertRoom(from, to);
    // A clone where the file system supports it: almost free of time and space.
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
}

async function copyFolder(path: string, options: CopyOptions): Promise<void> {
  const entries = await readdir(join(options.from, path), { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const entry of entries) {
    options.signal.throwIfAborted();
    const child = join(path, entry.name);
    if (path === '' && left.has(entry.name)) continue;
    if (entry.isDirectory()) await copySubfolder(child, options);
    else if (entry.isFile()) await copyOne(join(options.from, child), join(options.to, child));
    else
      throw new Error(`${join(options.from, child)} is a link (a tablespace?): a pair on one machine cannot copy it`);
  }
}

async function copySubfolder(path: string, options: CopyOptions): Promise<void> {
  await mkdir(join(options.to, path), { mode: 0o700 });
  if (!emptied.has(path)) await copyFolder(path, options);
}

/**
 * Copies the data directory of a running server in backup mode; its WAL comes by streaming, and files may vanish meanwhile. The files
 * to leave out are those of https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP-DATA. Links
 * are refused, never followed: tablespaces cannot be shared by a pair on one machine.
 */
export async function copyCluster(options: CopyOptions): Promise<void> {
  await copyFolder('', options);
}
