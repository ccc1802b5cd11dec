import { open } from 'node:fs/promises';

/** Flushes a file, or a folder's entries, to disk: a rename is durable only after its folder is synced. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
