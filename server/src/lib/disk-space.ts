import { statfs } from 'node:fs/promises';

import { withDeadline } from './with-deadline.ts';

/** Of the file system that holds a folder. */
export interface DiskSpace {
  /** Available to unprivileged processes. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** A network file system that takes longer counts as unavailable. */
const answerMs = 500;

/** Pending queries by folder. Each occupies a thread of the pool, so there is at most one. */
const asked = new Map<string, Promise<DiskSpace | undefined>>();

/** The space of `folder`'s file system; undefined when it cannot be read in time. Never rejects. */
export async function readDiskSpace(folder: string): Promise<DiskSpace | undefined> {
  return await withDeadline(asked.get(folder) ?? ask(folder), answerMs).catch(() => undefined);
}

function ask(folder: string): Promise<DiskSpace | undefined> {
  const answer = statfs(folder)
    .then(({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, sizeBytes: blocks * bsize }))
    .catch(() => undefined)
    .finally(() => asked.delete(folder));
  asked.set(folder, answer);
  return answer;
}
