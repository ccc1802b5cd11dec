import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';

import { findBinaries } from '../embedded/binaries.ts';
import { makeUnfinished, syncCluster } from '../embedded/cluster-files.ts';
import {
  assertServable,
  exists,
  layoutOf,
  lockDataFolder,
  prepareDataFolder,
  type DataLayout,
} from '../embedded/data-folder.ts';
import { folderInUse } from '../embedded/server-record.ts';
import { prepareSocketFolder, socketFolderOf } from '../embedded/socket-folder.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { syncPath } from '../lib/sync-folder.ts';
import type { Log } from '../telemetry/log.ts';
import { recover, refuseEarlier, type RecoveryTarget } from './recover.ts';
import type { BackupRecord } from './record.ts';
import { copyBackup, getBackup } from './restore.ts';

export interface RestoreOptions {
  /** The backup. */
  readonly folder: string;
  readonly dataDir: string;
  readonly binariesDir?: string | undefined;
  /** Archived WAL. */
  readonly archiveDir?: string | undefined;
  /** Default: the end of the backup. */
  readonly target?: RecoveryTarget | undefined;
  readonly log: Log;
}

/**
 * Makes a data folder from a backup; the folder must be absent or empty. It gets its name after the primary has
 * recovered and begun a new timeline, so no old standby can follow it by mistake; the next start makes a new standby.
 * Rejects with `OperatorError` for what the operator can fix; then the folder is unchanged.
 */
export async function restoreEmbedded(options: RestoreOptions, signal: AbortSignal): Promise<void> {
  const record = await getBackup(resolve(options.folder), 'embedded');
  refuseEarlier(options.target, record.endedAt);
  const layout = await layoutOf(options.dataDir);
  await prepareDataFolder(layout);
  const wasUsed = await exists(layout.lock);
  const lock = await lockDataFolder(layout);
  if (lock === undefined) throw await folderInUse(layout);
  try {
    if ((await assertServable(layout)) !== 'new')
      throw new OperatorError(`${layout.root} is not empty. Move it away first: \`mv\` keeps it.`);
    await fill(layout, record, options, signal);
  } catch (error) {
    if (!wasUsed) await rm(layout.lock, { force: true });
    throw error;
  } finally {
    lock.release();
  }
}

async function fill(
  layout: DataLayout,
  record: BackupRecord,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  const binaries = await findBinaries(options.binariesDir);
  const sockets = socketFolderOf(layout);
  const unfinished = await makeUnfinished(layout.primary);
  try {
    await copyBackup(resolve(options.folder), unfinished, record);
    await prepareSocketFolder(sockets);
    try {
      await recover({ ...options, binaries, dir: unfinished, sockets }, signal);
    } finally {
      await rm(sockets, { recursive: true, force: true });
    }
    await syncCluster(binaries, unfinished, signal);
    await rename(unfinished, layout.primary);
    await syncPath(layout.root);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
