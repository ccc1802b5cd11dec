import { randomBytes } from 'node:crypto';
import { appendFile, cp, mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { errorCode } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { syncPath } from '../lib/sync-folder.ts';
import { assertSameWal, verifyFiles } from './manifest.ts';
import { dataName, findBackupRecord, type BackupRecord } from './record.ts';

/**
 * The record of a backup to restore. Rejects with `OperatorError` unless the folder is a complete backup of this kind.
 */
export async function getBackup(backup: string, kind: BackupRecord['kind']): Promise<BackupRecord> {
  const record = await findBackupRecord(backup);
  if (record === undefined)
    throw new OperatorError(`${backup} is not a complete backup by \`messenger backup\`. Name the folder of one.`);
  if (record.kind === kind) return record;
  throw new OperatorError(
    kind === 'embedded'
      ? `${backup} is a backup of your own server. Restore it with --pgdata.`
      : `${backup} is a backup of the embedded databases. Restore it without --pgdata.`,
  );
}

/** Copies a backup to an empty folder, and verifies and syncs the copy. Rejects with `OperatorError`. */
export async function copyBackup(backup: string, to: string, record: BackupRecord): Promise<void> {
  await cp(join(backup, dataName), to, { recursive: true }).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOSPC') throw cause;
    throw new OperatorError(`No space left for the databases in ${dirname(to)}. Free some.`, { cause });
  });
  const { wal } = await verifyFiles(to, backup);
  assertSameWal(backup, record.wal, wal);
}

/**
 * Makes a data directory, which must be absent or empty, from a backup. The server begins a new timeline when it
 * starts, so no old standby can follow it by mistake.
 */
export async function restoreDataDirectory(backup: string, dataDirectory: string): Promise<void> {
  const record = await getBackup(resolve(backup), 'external');
  const final = resolve(dataDirectory);
  await refuseUsed(final);
  const unfinished = `${final}.new-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await copyBackup(resolve(backup), unfinished, record);
    await rm(join(unfinished, 'standby.signal'), { force: true });
    // PostgreSQL requires a source of more WAL; there is none.
    await appendFile(join(unfinished, 'postgresql.auto.conf'), "restore_command = 'false'\n");
    await writeFile(join(unfinished, 'recovery.signal'), '', { mode: 0o600 });
    for (const name of ['postgresql.auto.conf', 'recovery.signal', '.']) await syncPath(join(unfinished, name));
    await rmdir(final).catch(() => undefined);
    await rename(unfinished, final);
    await syncPath(dirname(final));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function refuseUsed(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
  if (found.length > 0) throw new OperatorError(`${folder} is not empty. Move it away first: \`mv\` keeps it.`);
}
