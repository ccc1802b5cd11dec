import type { Turn } from '../lib/turn.ts';
import type { StatementTraces } from '../telemetry/statement-traces.ts';
import type { BatchLimits } from './batch.ts';
import { BatchedPool, type BatchLoads } from './batched-pool.ts';
import { placeOf } from './endpoint.ts';
import { GroupCommit } from './group-commit.ts';
import { Pool, type PoolOptions, type PoolServices } from './pool.ts';
import { primaryPosition, replayPosition } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Reads } from './reads.ts';
import { StandbyWatch } from './standby-watch.ts';
import { Standby } from './standby.ts';
import { Standbys } from './standbys.ts';
import { Writes } from './writes.ts';

export interface DatabasesOptions {
  readonly write: PoolOptions<'write'>;
  /** One for each standby, each with two connections at least. */
  readonly reads: readonly PoolOptions<'read'>[];
  /** Of reads, wherever they are made. */
  readonly readTimeoutMs: number;
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
  /** All of them, for those who watch. */
  readonly pools: readonly Pool[];
  readonly batches: readonly BatchLoads[];
  /** Closes the pools; call it when the last call is answered. */
  close(): Promise<void>;
}

/**
 * Statements of one kind that one worker has in flight: one that runs, and one on its way. More make the batches smaller,
 * and PostgreSQL is busy with two already.
 */
const maxInFlight = 2;

/**
 * Of one batch. A turn of a worker with too much to do takes so long that two batches per turn are all that gets done: small
 * ones would be what it can do.
 */
const maxSize = 512;

/** Of the connections to the primary, for writes that wait for a row that somebody else holds. */
const shareOfAlone = 1 / 4;

/** How long a read waits for a standby that is about to have what its token asks for. */
const maxCatchUpMs = 20;

/** What a worker's way to the databases needs. */
export interface DatabasesServices extends PoolServices {
  readonly turn: Turn;
  readonly traces?: StatementTraces | undefined;
}

/** Resolves, within a second, when each standby was looked at once; rejects never: servers may be away. */
export async function openDatabases(options: DatabasesOptions, services: DatabasesServices): Promise<Databases> {
  const { write, batching, maxLagMs, readTimeoutMs } = options;
  const { clock, random } = services;
  const writePool = new Pool(write, services);
  const batchOptions = { ...services, limits: limitsOf(write, batching), position: primaryPosition };
  const readLimits = { ...batchOptions.limits, maxWaitMs: readTimeoutMs };
  const primary = new BatchedPool(writePool, { ...batchOptions, limits: readLimits });
  const maxAlone = Math.max(1, Math.floor(write.maxOpen * shareOfAlone));
  const commits = new GroupCommit(writePool, { ...batchOptions, maxAlone });
  const primaryLog = new PrimaryLog(clock, maxLagMs * 2);
  const ways = options.reads.map((read) => openStandby(read, { batching, maxLagMs, primary: primaryLog }, services));
  const standbys = new Standbys(
    ways.map(({ standby }) => standby),
    { maxTogether: batching ? maxSize : 1, random },
  );
  const watch = new StandbyWatch(writePool, primaryLog, standbys.all);
  await watch.start();
  const pools = [writePool, ...ways.flatMap((way) => way.pools)];
  return {
    reads: new Reads({
      primary,
      standbys,
      maxCatchUpMs,
      timeoutMs: readTimeoutMs,
      clock,
      onFailure: (standby) => watch.lookAt(standby),
    }),
    writes: new Writes(commits, { maxWaiting: write.maxWaiting, timeoutMs: write.statementTimeoutMs, clock }),
    writePool,
    readPools: ways.map(({ pool }) => pool),
    standbys,
    pools,
    batches: [primary, commits, ...ways.map(({ standby }) => standby.batches)],
    close: async () => {
      watch.stop();
      await Promise.all(pools.map(async (pool) => pool.close()));
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
  services: DatabasesServices,
): { readonly standby: Standby; readonly pool: Pool<'read'>; readonly pools: readonly Pool[] } {
  const pool = new Pool({ ...read, maxOpen: read.maxOpen - 1 }, services);
  const watchPool = new Pool({ ...read, maxOpen: 1 }, services);
  const batches = new BatchedPool(pool, {
    ...services,
    limits: limitsOf(read, batching),
    position: replayPosition,
  });
  const standby = new Standby(watchPool, batches, {
    place: placeOf(read.endpoint),
    primary,
    maxLagMs,
    log: services.log,
  });
  return { standby, pool, pools: [pool, watchPool] };
}
