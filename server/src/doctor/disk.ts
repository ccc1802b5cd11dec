import { access, constants } from 'node:fs/promises';

import { readDiskSpace } from '../lib/disk-space.ts';
import { errorCode } from '../lib/error-code.ts';
import { fail, grade, warn, type Finding } from './finding.ts';

/** Used fractions of the disk. The alert `DiskLow` has the first. */
const limits = { warn: 0.9, fail: 0.97 };

const MiB = 1_048_576;

/** Checks the free space of an embedded database: on a full disk PostgreSQL stops until there is space. */
export async function checkDisk(where: 'primary' | 'standby', folder: string): Promise<Finding> {
  const subject = { check: 'disk space', where } as const;
  const space = await readDiskSpace(folder);
  if (space === undefined) return warn(subject, `${folder} cannot be checked`, 'Is its file system mounted?');
  if (await isReadOnly(folder)) {
    const advice =
      'PostgreSQL cannot start on it. `dmesg` says whether the disk has errors; then `mount -o remount,rw`.';
    return fail(subject, `the file system of ${folder} is read-only`, advice);
  }
  const { freeBytes, sizeBytes } = space;
  const found = `${Math.floor(freeBytes / MiB)} of ${Math.floor(sizeBytes / MiB)} MiB are free for ${folder}`;
  const advice =
    'Free some, or move the data folder to a larger disk; never delete files below it. `du -sh data/*/pg_wal data/*/base` says what grows, and "replication slots" above whether a slot holds WAL.';
  return grade(subject, 1 - freeBytes / Math.max(1, sizeBytes), limits, found, advice);
}

/** For any user: the kernel checks the file system before permissions. */
async function isReadOnly(folder: string): Promise<boolean> {
  return await access(folder, constants.W_OK).then(
    () => false,
    (error: unknown) => errorCode(error) === 'EROFS',
  );
}
