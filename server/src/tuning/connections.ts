import { OperatorError } from '../lib/operator-error.ts';
import { postgresSettings } from '../embedded/settings.ts';
import type { Profile, Tuned } from './profile.ts';

/** What the guide's server has, for whom its table is right: 256MB of buffers are a quarter of it, as the guide advises. */
export const guideMemoryBytes = 2 ** 30;

/** A worker that has fewer makes its batches wait: two statements in flight of each of the five kinds. */
const leastPerWorker = 10;

const step = 100;

/**
 * `max_connections`: the guide's, fewer where the memory is less than the guide's, and more where the workers would not get
 * `leastPerWorker` each after a fifth is set aside. Throws `OperatorError` when these do not fit into the memory.
 */
export function tuneMaxConnections({ memoryBytes, workers, instances }: Profile): Tuned & { readonly count: number } {
  const ofGuide = Number(postgresSettings.tuning.both.max_connections);
  const scaled = Math.floor((ofGuide * memoryBytes) / guideMemoryBytes / step) * step;
  const fits = Math.min(ofGuide, Math.max(step, scaled));
  const all = workers * instances;
  const needed = Math.ceil(((all * leastPerWorker + reservedByServer) * 5) / 4 / step) * step;
  const count = Math.max(fits, needed);
  if (needed > fits) refuseTooMany(needed, all, memoryBytes);
  return { name: 'max_connections', value: String(count), count, reason: explain(count, { ofGuide, needed, all }) };
}

/** What PostgreSQL takes. */
const mostConnections = 262_143;

/** A connection that has done something, in bytes; three quarters of the memory may go to all of them. */
const bytesPerConnection = 2 * 2 ** 20;
const mostOfMemory = 0.75;

function refuseTooMany(needed: number, workers: number, memoryBytes: number): void {
  const most = Math.min(mostConnections, Math.floor((memoryBytes * mostOfMemory) / bytesPerConnection));
  if (needed <= most) return;
  throw new OperatorError(
    `${workers} workers need max_connections = ${needed}, at ${leastPerWorker} each and a fifth for administration; ` +
      `this memory has room for ${most}, at 2MB each. Give fewer --workers or --instances, or more --memory.`,
  );
}

/** Defaults of superuser_reserved_connections and reserved_connections. */
export const reservedByServer = 3;

function explain(
  count: number,
  { ofGuide, needed, all }: { readonly ofGuide: number; readonly needed: number; readonly all: number },
): string {
  if (count === needed && count !== ofGuide) {
    return `${all} workers need at least ${leastPerWorker} connections each, a fifth stays for administration; each costs about 2MB`;
  }
  return count === ofGuide
    ? 'for all workers, replication and administration; the same on both servers'
    : `the guide's ${ofGuide} are for 1GB, about 2MB each; the same on both servers`;
}
