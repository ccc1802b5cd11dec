import { readDiskSpace } from '../lib/disk-space.ts';
import { Metrics, type Snapshot } from './metrics.ts';

/** An embedded database server. */
export interface EmbeddedServer {
  readonly name: string;
  /** Its data folder. */
  readonly folder: string;
  /** Its fault; undefined while it is healthy. */
  readonly fault: string | undefined;
}

/** Faults of the embedded databases, and free space on their disks. Never rejects. */
export async function measureEmbedded(servers: readonly EmbeddedServer[]): Promise<Snapshot> {
  const metrics = new Metrics();
  const measured = servers.map(async ({ name, folder, fault }) => {
    if (fault !== undefined) metrics.set('messenger_embedded_fault', 1, name, fault);
    const space = await readDiskSpace(folder);
    if (space === undefined) return;
    metrics.set('messenger_embedded_disk_free_bytes', space.freeBytes, name);
    metrics.set('messenger_embedded_disk_size_bytes', space.sizeBytes, name);
  });
  await Promise.all(measured);
  return metrics.snapshot();
}
