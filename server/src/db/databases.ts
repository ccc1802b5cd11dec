import { BatchedPool } from './batched-pool.ts';
import type { BatchLimits } from './batch.ts';
import { Pool, type PoolOptions, type PoolServices } from './pool.ts';
import { primaryPosition, replayPosition } from './position.ts';
import { placeOf } from './endpoint.ts';
import { PrimaryLog } from './primary-log.ts';
import { Reads } from './reads.ts';
import { StandbyWatch } from './standby-watch.ts';
import { Standby } from './standby.ts';
import { Standbys } from './standbys.ts';
import { Writes } from './writes.ts';

export interface DatabasesOptions {
  readonly write: PoolOptions<'write'>;
  /** One for each standby. */
  readonly reads: readonly PoolOptions<'read'>[];
  readonly batching: boolean;
  /** A standby that is further behind is left out. In ms. */
  readonly maxLagMs: number;
}

/** One worker's way to the primary and the standbys. */
export interface Databases {
  readonly reads: Reads;
  readonly writes: Writes;
  readonly writePool: Pool<'write'>;
  /** In the order of the standbys. */
  readonly readPools: readonly Pool<'read'>[];
  readonly standbys: Standbys;
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

/** Resolves, within a second, when each standby was looked at once; rejects never: servers may be away. */
export async function openDatabases(options: DatabasesOptions, services: PoolServices): Promise<Databases> {
  const { write, batching, maxLagMs } = options;
  const { clock, random } = services;
  const writePool = new Pool(write, services);
  const primary = new BatchedPool(writePool, { limits: limitsOf(write, batching), clock, position: primaryPosition });
  const primaryLog = new PrimaryLog(clock, maxLagMs * 2);
  const ways = options.reads.map((read) => openStandby(read, { batching, maxLagMs, primary: primaryLog }, services));
  const standbys = new Standbys(
    ways.map(({ standby }) => standby),
    { maxTogether: batching ? maxSize : 1, random },
  );
  const watch = new StandbyWatch(writePool, primaryLog, standbys.all);
  await watch.start();
  return {
    reads: new Reads({ primary, standbys, maxCatchUpMs, onFailure: (standby) => watch.lookAt(standby) }),
    writes: new Writes(primary, { maxWaiting: write.maxWaiting }),
    writePool,
    readPools: ways.map(({ pool }) => pool),
    standbys,
    close: async () => {
      watch.stop();
      await Promise.all([writePool.close(), ...ways.map(async (way) => way.close())]);
    },
  };
}

function limitsOf({ maxOpen, maxWaiting, statementTimeoutMs }: PoolOptions, batching: boolean): BatchLimits {
  return {
    maxInFlight: batching ? maxInFlight : maxOpen,
    maxSize: batching ? maxSize : 1,
    maxWaiting,
    maxWaitMs: statementTimeoutMs,
  };
}

/** One of its connections is the watch's own: a standby whose other connections are all busy is not away. */
function openStandby(
  read: PoolOptions<'read'>,
  { batching, maxLagMs, primary }: Pick<DatabasesOptions, 'batching' | 'maxLagMs'> & { readonly primary: PrimaryLog },
  services: PoolServices,
): { readonly standby: Standby; readonly pool: Pool<'read'>; readonly close: () => Promise<void> } {
  const { clock, log } = services;
  const pool = new Pool({ ...read, maxOpen: Math.max(1, read.maxOpen - 1) }, services);
  const watchPool = new Pool({ ...read, maxOpen: 1 }, services);
  const batches = new BatchedPool(pool, { limits: limitsOf(read, batching), clock, position: replayPosition });
  const standby = new Standby(watchPool, batches, { place: placeOf(read.endpoint), primary, maxLagMs, log });
  const close = async (): Promise<void> => void (await Promise.all([pool.close(), watchPool.close()]));
  return { standby, pool, close };
}
