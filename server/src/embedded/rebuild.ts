import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { syncPath } from '../lib/sync-folder.ts';
import type { Binaries } from './binaries.ts';
import { makeUnfinished, markStandby, syncCluster, writeClusterFile } from './cluster-files.ts';
import { copyCluster } from './copy-cluster.ts';
import { exists } from './data-folder.ts';
import { slotName } from './settings.ts';
import { ensureSlot, removeSlot } from './slot.ts';
import { withSession } from './sql.ts';
import { findStorageFault } from './storage-fault.ts';

/** The folders of the two servers, and how to reach the running primary. */
export interface RebuildSource {
  readonly binaries: Binaries;
  readonly primary: Endpoint;
  readonly primaryDir: string;
  readonly standbyDir: string;
}

const backupStart = `select pg_backup_start('messenger standby', fast => true)`;
const backupStop = 'select labelfile, spcmapfile from pg_backup_stop(wait_for_archive => false)';

async function stopBackup(client: pg.Client): Promise<{ labelfile: string; spcmapfile: string }> {
  const { rows } = await client.query<{ labelfile: string; spcmapfile: string }>(backupStop);
  const [row] = rows;
  if (row === undefined) throw new Error('pg_backup_stop returned no row');
  return row;
}

/** Copies a running primary, and creates the slot for the copy. */
export async function backUp(
  primaryDir: string,
  to: string,
  client: pg.Client,
  signal: AbortSignal,
  slot: string = slotName,
): Promise<void> {
  await client.query(backupStart);
  // A new slot retains WAL from the latest checkpoint, which is the backup's. Created before the backup, it would
  // retain a segment more than needed, and reach its limit sooner.
  await ensureSlot(client, slot);
  await copyCluster({ from: primaryDir, to, signal });
  const { labelfile, spcmapfile } = await stopBackup(client);
  await writeClusterFile(join(to, 'backup_label'), labelfile);
  if (spcmapfile !== '') await writeClusterFile(join(to, 'tablespace_map'), spcmapfile);
}

async function replaceFolder(final: string, unfinished: string): Promise<void> {
  const old = `${final}.old-${randomBytes(4).toString('hex')}`;
  if (await exists(final)) await rename(final, old);
  await rename(unfinished, final);
  await syncPath(dirname(final));
  await rm(old, { recursive: true, force: true });
}

/**
 * Replaces the standby's folder with a base backup of the running primary, through the low-level API
 * (https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP); the packaged PostgreSQL
 * has no pg_basebackup. The standby must be stopped. The old folder stays until the copy is complete and synced.
 */
export async function rebuildStandby(source: RebuildSource, signal: AbortSignal): Promise<void> {
  const unfinished = await makeUnfinished(source.standbyDir);
  try {
    await withSession(source.primary, async (client) => {
      await removeSlot(client, signal);
      await backUp(source.primaryDir, unfinished, client, signal);
    });
    await markStandby(unfinished);
    await syncCluster(source.binaries, unfinished, signal);
    await replaceFolder(source.standbyDir, unfinished);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (findStorageFault(error) === 'disk_full')
      throw new Error('no space left for a second copy of the database', { cause: error });
    throw error;
  }
}
