import { constants, cp, rename, rmdir } from 'node:fs/promises';

import type { Clock } from '../lib/clock.ts';
import type { FileLock } from '../lib/file-lock.ts';
import { syncPath } from '../lib/sync-folder.ts';
import { assertReachable } from '../process/os-user.ts';
import type { Log } from '../telemetry/log.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { initCluster, makeUnfinished, markStandby, syncCluster } from './cluster-files.ts';
import {
  assertOwner,
  assertServable,
  type DataLayout,
  layoutOf,
  lockDataFolder,
  prepareDataFolder,
  removeLeftovers,
} from './data-folder.ts';
import type { Overrides, PairContext } from './launch.ts';
import { prepareArchive } from './prepare-archive.ts';
import { folderInUse, removeServerRecord, writeServerRecord } from './server-record.ts';
import type { Durability, SynchronousCommit } from './settings.ts';
import { endpointsIn, prepareSocketFolder, socketFolderOf } from './socket-folder.ts';

export interface EmbeddedOptions {
  readonly dataDir: string;
  /** A folder with bin/, lib/ and share/; default: the platform's npm package. */
  readonly binariesDir?: string | undefined;
  readonly synchronousCommit: SynchronousCommit;
  /** Default: `disk`, also for a primary that temporarily runs without its standby. */
  readonly durability?: Durability;
  /** Where the primary archives its WAL; created when absent. Default: no archive. */
  readonly archiveDir?: string | undefined;
  readonly tuning: 'on' | 'off';
  readonly log: Log;
  readonly clock: Clock;
  readonly overrides?: Overrides;
}

/** A locked and validated data folder with both servers' files. */
export interface OpenData {
  readonly context: PairContext;
  readonly isNew: boolean;
  /** Unlocks the folder. Everything that uses it must have ended. */
  close(): Promise<void>;
}

/**
 * The first start: makes the primary's files, and the standby's as a copy. Both get their names when both are complete;
 * the next start removes leftovers of a crash before that.
 */
async function createFiles(layout: DataLayout, binaries: Binaries, signal: AbortSignal): Promise<void> {
  const primary = await makeUnfinished(layout.primary);
  const standby = await makeUnfinished(layout.standby);
  await initCluster(binaries, primary, signal);
  await cp(primary, standby, { recursive: true, mode: constants.COPYFILE_FICLONE });
  signal.throwIfAborted();
  await markStandby(standby);
  await syncCluster(binaries, standby, signal);
  await rename(primary, layout.primary);
  await rename(standby, layout.standby);
  await syncPath(layout.root);
}

/** True when the files had to be created. */
async function fill(layout: DataLayout, binaries: Binaries, log: Log, signal: AbortSignal): Promise<boolean> {
  await assertOwner(layout);
  const found = await assertServable(layout);
  await removeLeftovers(layout);
  if (found === 'existing') return false;
  log.info({ dataDir: layout.root }, 'creating the databases (first start)');
  await createFiles(layout, binaries, signal).catch(async (error: unknown) => {
    await removeLeftovers(layout);
    throw error;
  });
  return true;
}

async function closeData(layout: DataLayout, sockets: string, lock: FileLock): Promise<void> {
  await removeServerRecord(layout);
  // Remove our empty folder from the temporary files; one with content may not be ours.
  if (sockets !== layout.run) await rmdir(sockets).catch(() => {});
  lock.release();
}

/**
 * Opens the data folder exclusively, and creates it and the databases' files when it is new. Starts nothing. Throws
 * `OperatorError` for what the operator can fix; then nothing is left except perhaps an empty folder.
 */
export async function openData(options: EmbeddedOptions, signal: AbortSignal): Promise<OpenData> {
  const binaries = await findBinaries(options.binariesDir);
  await assertReachable(binaries.postgres);
  const layout = await layoutOf(options.dataDir);
  const sockets = socketFolderOf(layout);
  await prepareDataFolder(layout);
  const lock = await lockDataFolder(layout);
  if (lock === undefined) throw await folderInUse(layout);
  const { synchronousCommit, durability, archiveDir, tuning, overrides = {}, log, clock } = options;
  const settings = { synchronousCommit, durability, archiveDir, tuning, overrides };
  const context = {
    layout,
    binaries,
    endpoints: endpointsIn(sockets, synchronousCommit),
    ...settings,
    log,
    clock,
  };
  try {
    if (archiveDir !== undefined) await prepareArchive(archiveDir);
    await writeServerRecord(layout, { pid: process.pid, sockets });
    const isNew = await fill(layout, binaries, log, signal);
    await prepareSocketFolder(sockets);
    return { context, isNew, close: () => closeData(layout, sockets, lock) };
  } catch (error) {
    await closeData(layout, sockets, lock);
    throw error;
  }
}
