import type { Turn } from '../lib/turn.ts';
import type { StatementTraces } from '../telemetry/statement-traces.ts';
import type { BatchLimits } from './batch.ts';
import { BatchedPool, type BatchLoads } from './batched-pool.ts';
import type { Endpoint } from './endpoint.ts';
import { GroupCommit } from './group-commit.ts';
import { Pool, type PoolOptions, type PoolServices } from './pool.ts';
import { areOneServer } from './identity.ts';
import { primaryPosition, replayPosition, toFlushed, type ServerStatus } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Reads } from './reads.ts';
import type { RowLocks } from './row-locks.ts';
import { SeparateWrites } from './separate-writes.ts';
import type { Server } from './server.ts';
import { Standby } from './standby.ts';
import { Standbys } from './standbys.ts';
import type { Primary, Topology } from './topology.ts';
import { watchServers } from './watched-servers.ts';
import { Writes } from './writes.ts';

export interface DatabasesOptions {
  /** The pool to the primary; `endpoint` is where it was found. */
  readonly write: PoolOptions<'write'>;
  readonly otherWrites: readonly Endpoint[];
  /** The database cluster; default: that of the first primary found. */
  readonly systemIdentifier?: string | undefined;
  /** Whether writes are admitted before `topology.openForWrites`; default: yes. */
  readonly isOpenForWrites?: boolean;
  /** One per standby, each with at least two connections. */
  readonly reads: readonly PoolOptions<'read'>[];
  /** The deadline of reads, on any server. */
  readonly readTimeoutMs: number;
  readonly batching: boolean;
  /** A standby with more lag gets no reads. */
  readonly maxLagMs: number;
}

/** One worker's access to the primary and the standbys. */
export interface Databases {
  readonly reads: Reads;
  readonly writes: Writes;
  readonly separateWrites: SeparateWrites;
  /** Writes in batches that lock rows first, in an order that cannot deadlock. Call it once per set of locks. */
  readonly lockedWrites: (locks: RowLocks) => Writes;
  /** Knows which server is the primary. */
  readonly topology: Topology;
  readonly writePool: Pool<'write'>;
  /** In the order of the standbys. */
  readonly readPools: readonly Pool<'read'>[];
  readonly standbys: Standbys;
  /** All pools, for monitoring. */
  readonly pools: readonly Pool[];
  readonly batches: readonly BatchLoads[];
  /** Closes the pools; call it when the last call is answered. */
  close(): Promise<void>;
}

/**
 * Statements in flight per kind and worker: one that runs, and one in transit. More would make batches smaller, and two
 * already keep PostgreSQL busy.
 */
const maxInFlight = 2;

/**
 * The maximum of calls per batch. An overloaded worker sends about two batches per event-loop turn, and turns are long,
 * so small batches would limit its throughput.
 */
const maxSize = 512;

/** The share of connections to the primary for writes that wait for a row locked by another transaction, and for separate writes. */
const shareOfDeferred = 1 / 4;

/** How long a read waits for a standby that is about to replay its token's position. */
const maxCatchUpMs = 20;

/** The dependencies of a worker's database access. */
export interface DatabasesServices extends PoolServices {
  readonly turn: Turn;
  readonly pressure?: (() => number) | undefined;
  readonly traces?: StatementTraces | undefined;
}

/** Resolves within a second, when each server was queried; never rejects: servers may be unavailable. */
export async function openDatabases(options: DatabasesOptions, services: DatabasesServices): Promise<Databases> {
  const { write, batching, maxLagMs, readTimeoutMs } = options;
  const { topology, serverOf } = watchServers(
    { ...options, ...write, write: write.endpoint, reads: options.reads.map(({ endpoint }) => endpoint) },
    services,
  );
  const writePool = new Pool({ ...write, maxOpen: withoutProbe(write.maxOpen) }, services, {
    misfitOf: (status) => topology.misfitOf(status),
    look: async () => topology.look(),
    takesWrites: () => topology.takesWrites,
    admitWrite: async () => topology.admitWrite(),
  });
  const batchOptions = { ...services, limits: limitsOf(write, batching), position: primaryPosition };
  const readLimits = { ...batchOptions.limits, maxWaitMs: readTimeoutMs };
  const primary = new BatchedPool(writePool, { ...batchOptions, limits: readLimits });
  const maxDeferred = Math.max(1, Math.floor(write.maxOpen * shareOfDeferred));
  const commits = new GroupCommit(writePool, { ...batchOptions, maxDeferred });
  const primaryLog = new PrimaryLog(services.clock, maxLagMs * 2);
  const ways = options.reads.map((read) =>
    openStandby(read, { batching, maxLagMs, primaryLog, topology, server: serverOf(read.endpoint) }, services),
  );
  const standbys = new Standbys(
    ways.map(({ standby }) => standby),
    { maxTogether: batching ? maxSize : 1, random: services.random },
  );
  const followPrimary = primaryFollower(topology, writePool, primaryLog);
  topology.onAnswer(() => {
    followPrimary();
    for (const { follow } of ways) follow();
  });
  await topology.start();
  const pools = [writePool, ...ways.map(({ pool }) => pool)];
  const batches: BatchLoads[] = [primary, commits, ...ways.map(({ standby }) => standby.batches)];
  return {
    reads: new Reads({
      primary,
      standbys,
      maxCatchUpMs,
      timeoutMs: readTimeoutMs,
      clock: services.clock,
      onFailure: (standby) => void standby.check(),
      onOldPrimary: async () => topology.look(),
    }),
    writes: new Writes(commits),
    separateWrites: new SeparateWrites(writePool, { ...batchOptions.limits, maxAtOnce: maxDeferred }),
    lockedWrites: (locks) => {
      const locking = new GroupCommit(writePool, { ...batchOptions, maxDeferred, locks });
      batches.push(locking);
      return new Writes(locking);
    },
    topology,
    writePool,
    readPools: ways.map(({ pool }) => pool),
    standbys,
    pools,
    batches,
    close: async () => {
      await topology.stop();
      for (const { standby } of ways) standby.close();
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

/** One connection to each server belongs to its probe: a busy pool does not mean an unavailable server. */
function withoutProbe(maxOpen: number): number {
  return Math.max(1, maxOpen - 1);
}

/**
 * Moves the pool of the primary to the current primary, and records the primary's position. Calls sent to an old
 * primary reject at once.
 */
function primaryFollower(topology: Topology, pool: Pool<'write'>, log: PrimaryLog): () => void {
  let known: Primary | undefined;
  let noted: ServerStatus | undefined;
  return () => {
    const { primary } = topology;
    if (primary === undefined) return;
    const isKnown = known?.server === primary.server && areOneServer(known.status, primary.status);
    if (!isKnown) pool.moveTo(primary.server.endpoint, { isCut: true });
    known = primary;
    const { status } = primary.server;
    const flushed = toFlushed(status);
    if (flushed !== undefined && status !== noted) log.add(flushed);
    noted = status;
  };
}

function openStandby(
  read: PoolOptions<'read'>,
  {
    batching,
    maxLagMs,
    primaryLog,
    topology,
    server,
  }: Pick<DatabasesOptions, 'batching' | 'maxLagMs'> & {
    readonly primaryLog: PrimaryLog;
    readonly topology: Topology;
    readonly server: Server;
  },
  services: DatabasesServices,
): { readonly standby: Standby; readonly pool: Pool<'read'>; readonly follow: () => void } {
  const pool = new Pool({ ...read, maxOpen: withoutProbe(read.maxOpen) }, services, {
    misfitOf: (status) => strangerOf(status, server.status),
    look: async () => topology.look(),
  });
  const batches = new BatchedPool(pool, { ...services, limits: limitsOf(read, batching), position: replayPosition });
  const primary = (): ServerStatus | undefined => topology.primary?.status;
  const isPrimaryAway = (): boolean => topology.primary !== undefined && topology.primary.server.status === undefined;
  const standby = new Standby(server, batches, { primary, isPrimaryAway, primaryLog, maxLagMs, log: services.log });
  let known: ServerStatus | undefined;
  const follow = (): void => {
    const { status } = server;
    if (status !== undefined && known !== undefined && !areOneServer(known, status))
      pool.moveTo(read.endpoint, { isCut: true });
    known = status ?? known;
    if (!topology.isSearching) standby.judge();
  };
  return { standby, pool, follow };
}

/** Why a new connection leads to another server than expected; undefined when it does not. */
function strangerOf(status: ServerStatus, known: ServerStatus | undefined): string | undefined {
  return known === undefined || areOneServer(status, known) ? undefined : 'it is another server than before';
}
