import { randomBytes } from 'node:crypto';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type pg from 'pg';

import { OperatorError } from '../lib/operator-error.ts';
import { assertManifest, writeManifest } from './backup-manifest.ts';
import { findBinaries } from './binaries.ts';
import { syncCluster, writeClusterFile } from './cluster-files.ts';
import { exists, layoutOf, prepareDataFolder } from './data-folder.ts';
import { backUp } from './rebuild.ts';
import { findRunningServer } from './server-record.ts';
import { removeSlot } from './slot.ts';
import { endpointsIn } from './socket-folder.ts';
import { withSession } from './sql.ts';

export interface BackupOptions {
  readonly dataDir: string;
  readonly binariesDir?: string | undefined;
  /** The backup. */
  readonly folder: string;
}

/** Keeps the WAL of a backup while it is made. */
const slot = 'messenger_backup';

/**
 * Copies the embedded primary of a running server, with the WAL that the copy needs and the hash of every file. The folder has
 * its name when it is complete and on disk. Throws `OperatorError` when no server runs, or the folder exists.
 */
export async function takeBackup({ dataDir, binariesDir, folder }: BackupOptions, signal: AbortSignal): Promise<void> {
  const running = await findRunningServer(dataDir);
  if (running === undefined)
    throw new OperatorError(`No server runs on ${dataDir}. Start it; or copy the whole folder while it is stopped.`);
  const final = resolve(folder);
  if (await exists(final)) throw new OperatorError(`${final} exists. Name a folder that does not.`);
  const [layout, binaries] = await Promise.all([layoutOf(dataDir), findBinaries(binariesDir)]);
  const unfinished = `${final}.new-${randomBytes(4).toString('hex')}`;
  const copy = join(unfinished, 'primary');
  try {
    await mkdir(copy, { recursive: true, mode: 0o700 });
    await withSession(endpointsIn(running.sockets).write, async (client) => {
      await removeSlot(client, signal, slot);
      try {
        await backUp(layout.primary, copy, client, signal, slot);
        await copyWal(client, layout.primary, copy);
      } finally {
        await removeSlot(client, AbortSignal.timeout(5_000), slot);
      }
    });
    await writeManifest(unfinished);
    await syncCluster(binaries, copy, signal);
    await rename(unfinished, final);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** From the segment in which the copy begins to the one that is written now, which is behind the end of the copy. */
async function copyWal(client: pg.Client, primary: string, copy: string): Promise<void> {
  const label = await readFile(join(copy, 'backup_label'), 'utf8');
  const first = /^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)$/mu.exec(label)?.[1];
  const { rows } = await client.query<{ last: string }>('select pg_walfile_name(pg_current_wal_insert_lsn()) as last');
  const last = rows[0]?.last;
  if (first === undefined || last === undefined) throw new Error('the range of the WAL of the backup is not known');
  const isNeeded = (name: string): boolean =>
    /^[0-9A-F]{8}\.history$/u.test(name) || (/^[0-9A-F]{24}$/u.test(name) && name >= first && name <= last);
  const names = (await readdir(join(primary, 'pg_wal'))).filter(isNeeded);
  for (const name of names) await copyFile(join(primary, 'pg_wal', name), join(copy, 'pg_wal', name));
}

/**
 * Checks a backup and makes a data folder of it, which must be absent or empty. The databases begin a new timeline, so that no
 * standby of before can follow them by mistake; the standby is made anew by the next start.
 */
export async function restoreBackup(options: BackupOptions, signal: AbortSignal): Promise<void> {
  const from = resolve(options.folder);
  await assertManifest(from);
  const layout = await layoutOf(options.dataDir);
  await prepareDataFolder(layout);
  const found = await readdir(layout.root);
  if (found.length > 0) throw new OperatorError(`${layout.root} is not empty. Move it away first: \`mv\` keeps it.`);
  const binaries = await findBinaries(options.binariesDir);
  const unfinished = `${layout.primary}.new-${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(layout.lock, '', { mode: 0o600 });
    await cp(join(from, 'primary'), unfinished, { recursive: true });
    await writeClusterFile(join(unfinished, 'recovery.signal'), '');
    await syncCluster(binaries, unfinished, signal);
    await rename(unfinished, layout.primary);
  } catch (error) {
    await Promise.all([unfinished, layout.lock].map(async (path) => rm(path, { recursive: true, force: true })));
    throw error;
  }
}
