import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { listBackups } from './record.ts';
import { isOlderSegment } from './wal-names.ts';

export interface Retention {
  /** At least 1. */
  readonly keep: number;
  readonly archiveDir?: string | undefined;
}

/**
 * Keeps the newest `keep` backups of the databases of `newest`, a complete backup, and the archived WAL that they need.
 * Backups of other databases stay.
 */
export async function removeOldBackups(newest: string, { keep, archiveDir }: Retention): Promise<void> {
  const all = await listBackups(dirname(newest));
  const identifier = all.find(({ folder }) => folder === newest)?.systemIdentifier;
  const ours = all.filter(({ systemIdentifier }) => systemIdentifier === identifier);
  const kept = ours.filter(({ folder }, index) => index < keep || folder === newest);
  for (const { folder } of ours) if (!kept.some((one) => one.folder === folder)) await rm(folder, { recursive: true });
  if (archiveDir === undefined) return;
  const oldest = kept.map(({ firstWal }) => firstWal.slice(8)).toSorted()[0];
  if (oldest !== undefined) await removeOldWal(archiveDir, oldest);
}

async function removeOldWal(archiveDir: string, oldest: string): Promise<void> {
  for (const name of (await readdir(archiveDir)).filter((one) => isOlderSegment(one, oldest)))
    await rm(join(archiveDir, name), { force: true });
}
