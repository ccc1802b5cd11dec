import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import type { Endpoint } from '../db/endpoint.ts';
import type { SessionOptions } from '../db/session.ts';
import { tryLock, type FileLock } from '../lib/file-lock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { syncPath } from '../lib/sync-folder.ts';
import { receiveBaseBackup, type BaseBackup } from './base-backup.ts';
import { explainFailure } from './explain-failure.ts';
import { manifestName, verifyFiles } from './manifest.ts';
import { dataName, noteOutcome, writeBackupRecord, type BackupRecord } from './record.ts';
import { removeOldBackups } from './retention.ts';
import { segmentsOf } from './wal-names.ts';

export interface BackupOptions {
  /** The backup; must not exist. */
  readonly folder: string;
  readonly kind: BackupRecord['kind'];
  /** The server to copy. */
  readonly source: Endpoint;
  /** How many backups of these databases to keep in the parent folder, this one included; default: all. */
  readonly keep?: number | undefined;
  /** The WAL archive of these databases: with `keep`, WAL older than the oldest kept backup is removed. */
  readonly archiveDir?: string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

const session: SessionOptions = { applicationName: 'messenger backup', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };
const lockName = '.messenger-backup.lock';
const unfinishedName = /^\.unfinished-backup-[0-9a-f]{8}$/u;

/**
 * Copies a running server. The folder gets its name after every file has been read back, compared with PostgreSQL's
 * manifest, and synced. Throws `OperatorError` for what the operator can fix; then nothing of the copy is left. Only a
 * complete backup removes older ones.
 */
export async function takeBackup(options: BackupOptions, signal: AbortSignal): Promise<void> {
  const final = resolve(options.folder);
  const lock = await lockParent(final);
  try {
    await refuseExisting(final);
    await removeUnfinished(dirname(final));
    await copyTo(final, options, signal);
    await noteOutcome(final, 'success', options.nowMs());
    if (options.keep !== undefined) await removeOldBackups(final, { ...options, keep: options.keep });
  } catch (error) {
    await noteOutcome(final, 'failure', options.nowMs()).catch(() => undefined);
    throw explainFailure(error, options.source);
  } finally {
    lock.release();
  }
}

async function lockParent(final: string): Promise<FileLock> {
  await mkdir(dirname(final), { recursive: true, mode: 0o700 });
  const lock = tryLock(join(dirname(final), lockName));
  if (lock === undefined)
    throw new OperatorError(`Another backup to ${dirname(final)} is running. Wait until it ends.`);
  return lock;
}

async function refuseExisting(final: string): Promise<void> {
  if ((await readdir(dirname(final))).includes(basename(final)))
    throw new OperatorError(`${final} exists. Name a folder that does not.`);
}

/** Removes what killed backups left. Only for the holder of the lock. */
async function removeUnfinished(parent: string): Promise<void> {
  for (const name of (await readdir(parent)).filter((one) => unfinishedName.test(one)))
    await rm(join(parent, name), { recursive: true, force: true });
}

async function copyTo(final: string, { source, kind }: BackupOptions, signal: AbortSignal): Promise<void> {
  const unfinished = join(dirname(final), `.unfinished-backup-${randomBytes(4).toString('hex')}`);
  const data = join(unfinished, dataName);
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    const backup = await receiveBaseBackup(source, data, session, signal);
    await writeFile(join(data, manifestName), backup.manifest, { mode: 0o600 });
    await writeBackupRecord(unfinished, { kind, ...(await verify(data, final, backup)) });
    signal.throwIfAborted();
    await rename(unfinished, final);
    await syncPath(dirname(final));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function verify(data: string, name: string, backup: BaseBackup): Promise<Omit<BackupRecord, 'kind'>> {
  const { manifest, wal } = await verifyFiles(data, name);
  const segments = manifest.walRanges.flatMap((range) => segmentsOf(range, backup.walSegmentBytes));
  const missing = segments.find((segment) => !(`pg_wal/${segment}` in wal));
  const [firstWal] = segments.toSorted();
  if (missing !== undefined || firstWal === undefined)
    throw new OperatorError(`The backup ${name} lacks the WAL segment ${missing ?? 'of its start'}. Take another one.`);
  const { systemIdentifier, endedAt } = backup;
  return { systemIdentifier, endedAt, firstWal, wal };
}
