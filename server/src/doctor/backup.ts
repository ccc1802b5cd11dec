import { stat } from 'node:fs/promises';

import { readLastBackup, type LastBackup } from '../backup/record.ts';
import { ok, warn, type Finding } from './finding.ts';

export interface BackupSetup {
  /** BACKUP_DIR. */
  readonly dir: string | undefined;
  readonly maxAgeHours: number;
  /** The embedded primary; undefined with external servers. */
  readonly primaryDir: string | undefined;
}

const subject = { check: 'backup', where: 'here' } as const;

const advice =
  'Take one: `messenger backup`; a schedule is in docs/operations.md. Name the folder of the backups with BACKUP_DIR.';

/** Checks that there is a recent backup. Databases that are newer need none yet. */
export async function checkBackup({ dir, maxAgeHours, primaryDir }: BackupSetup, nowMs: number): Promise<Finding> {
  if (dir === undefined && primaryDir === undefined) return ok(subject, 'not watched: BACKUP_DIR is not set');
  const last = dir === undefined ? {} : await readLastBackup(dir).catch(() => undefined);
  if (last === undefined) return warn(subject, `${dir} cannot be read`, 'Let the user of the server read it.');
  const ageHours = hoursSince(last.succeededMs ?? (await createdMs(primaryDir)), nowMs);
  const found = describe(last, ageHours);
  if (ageHours > maxAgeHours) return warn(subject, found, advice);
  if ((last.failedMs ?? 0) <= (last.succeededMs ?? 0)) return ok(subject, found);
  return warn(
    subject,
    `${found}; the last attempt failed`,
    'Its log says why: `journalctl -u messenger-backup`, or the mail of cron.',
  );
}

function describe({ succeededMs }: LastBackup, ageHours: number): string {
  if (succeededMs !== undefined) return `the newest is ${Math.floor(ageHours)} hours old`;
  return Number.isFinite(ageHours) ? `none; the databases are ${Math.floor(ageHours)} hours old` : 'none';
}

function hoursSince(thenMs: number | undefined, nowMs: number): number {
  return thenMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - thenMs) / 3_600_000;
}

/** The creation time of the primary's files; undefined when unknown. */
async function createdMs(primaryDir: string | undefined): Promise<number | undefined> {
  if (primaryDir === undefined) return undefined;
  return await stat(`${primaryDir}/PG_VERSION`).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
