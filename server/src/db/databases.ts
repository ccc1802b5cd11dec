import { BatchedPool } from './batched-pool.ts';
import type { BatchLimits } from './batch.ts';
import { Pool, type PoolOptions, type PoolServices } from './pool.ts';
import { primaryPosition, replayPosition } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Reads } from './reads.ts';
import { StandbyWatch } from './standby-watch.ts';
import { Standby } from './standby.ts';
import { Writes } from './writes.ts';

export interface DatabasesOptions {
  readonly write: PoolOptions<'write'>;
  readonly read: PoolOptions<'read'>;
  readonly batching: boolean;
  /** A standby that is further behind is left out. */
  readonly maxLagMs: number;
}

/** One worker's way to the primary and the standby. */
export interface Databases {
  readonly reads: Reads;
  readonly writes: Writes;
  readonly writePool: Pool<'write'>;
  readonly readPool: Pool<'read'>;
  readonly standby: Standby;
  /** All of them, for those who watch. */
  readonly pools: readonly Pool[];
  readonly batches: readonly BatchedPool[];
  /** Closes the pools; call it when the last call is answered. */
  close(): Promise<void>;
}

/**
 * Statements of one kind that one worker has in flight: one that runs, and one on its way. More make the batches smaller,
 * and PostgreSQL is busy with two already.
 */
const maxInFlight = 2;

/** Larger batches save nothing more, and make the first of their calls wait for the last. */
const maxSize = 128;

/** How long a read waits for a standby that is about to have what its token asks for. */
const maxCatchUpMs = 20;

export function openDatabases(
  { write, read, batching, maxLagMs }: DatabasesOptions,
  services: PoolServices,
): Databases {
  const { clock, log, observer } = services;
  const limitsOf = ({ maxOpen, maxWaiting, statementTimeoutMs }: PoolOptions): BatchLimits => ({
    maxInFlight: batching ? maxInFlight : maxOpen,
    maxSize: batching ? maxSize : 1,
    maxWaiting,
    maxWaitMs: statementTimeoutMs,
  });
  const writePool = new Pool(write, services);
  // One of the connections is the watch's own: a standby whose other connections are all busy is not away.
  const readPool = new Pool({ ...read, maxOpen: Math.max(1, read.maxOpen - 1) }, services);
  const watchPool = new Pool({ ...read, maxOpen: 1 }, services);
  const primary = new BatchedPool(writePool, { limits: limitsOf(write), clock, observer, position: primaryPosition });
  const onStandby = new BatchedPool(readPool, { limits: limitsOf(read), clock, observer, position: replayPosition });
  const standby = new Standby(watchPool, onStandby, { maxLagMs, log });
  const watch = new StandbyWatch(writePool, new PrimaryLog(clock, maxLagMs * 2), standby);
  watch.start();
  return {
    reads: new Reads({ primary, standby, maxCatchUpMs, onFailure: () => watch.lookNow() }),
    writes: new Writes(primary, { maxWaiting: write.maxWaiting }),
    writePool,
    readPool,
    standby,
    pools: [writePool, readPool, watchPool],
    batches: [primary, onStandby],
    close: async () => {
      watch.stop();
      await Promise.all([writePool.close(), readPool.close(), watchPool.close()]);
    },
  };
}
