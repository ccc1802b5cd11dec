import { open } from 'node:fs/promises';

/** Brings a file to the disk, or the names in a folder: a rename is on the disk only when its folder is. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
