import { statfs } from 'node:fs/promises';

import { withDeadline } from './with-deadline.ts';

/** Of the file system that holds a folder. */
export interface DiskSpace {
  /** What a process without privileges may still use. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** A network file system that takes longer does not answer. In ms. */
const answerMs = 500;

/** Questions that are still open, by folder: each holds a thread of the pool, so there is at most one. */
const asked = new Map<string, Promise<DiskSpace | undefined>>();

/** The space of the file system of `folder`; undefined when it cannot be read in time. Never rejects. */
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
