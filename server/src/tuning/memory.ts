import { metricsConnections } from '../db/connection-budget.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Profile } from './profile.ts';
import { showMemorySize } from './memory-size.ts';

const megabyte = 2 ** 20;
const gigabyte = 2 ** 30;

/** What the guide's server has: its 256MB of buffers are a quarter of it, as the guide advises. */
export const guideMemoryBytes = gigabyte;

/** The guide's `max_connections`, and of each of its pools. */
const guideConnections = 500;
export const guideMaxOpen = 100;

/** A worker with a smaller pool makes its batches wait. */
export const leastOpen = 6;

/** Defaults of superuser_reserved_connections and reserved_connections. */
export const reservedByServer = 3;

/** Of a session without its sorts: caches of tables and plans, its stack, buffers of the connection. */
const sessionBytes = 2 * megabyte;

/** A session of ours sorts or hashes once at a time; a hash takes `hash_mem_multiplier` (2) times `work_mem`. */
const sortsPerSession = 2;

/** At 4MB, PostgreSQL's default, no statement of ours sorts on disk; below 1MB pages of many clients do. */
const workMem = { leastBytes: megabyte, comfortableBytes: 4 * megabyte, mostBytes: 64 * megabyte };

/** Default of autovacuum_max_workers. */
const autovacuumWorkers = 3;

/** What PostgreSQL takes. */
const mostConnections = 262_143;

/** How the memory of one server is shared out: together never more than it has, with all sessions at work. */
export interface MemoryPlan {
  readonly sharedBuffersBytes: number;
  readonly maintenanceBytes: number;
  /** For each autovacuum worker. */
  readonly autovacuumBytes: number;
  readonly workMemBytes: number;
  readonly maxConnections: number;
  readonly parallelWorkers: number;
}

interface Shares extends Pick<MemoryPlan, 'sharedBuffersBytes' | 'maintenanceBytes' | 'autovacuumBytes'> {
  /** What is left for sessions and their parallel workers, after an eighth for the system. */
  readonly sessionsBytes: number;
  readonly parallelWorkers: number;
}

function shareOut({ memoryBytes, cpus }: Pick<Profile, 'memoryBytes' | 'cpus'>): Shares {
  const sharedBuffersBytes = memoryBytes / 4;
  const maintenanceBytes = Math.min(memoryBytes / 16, 2 * gigabyte);
  const autovacuumBytes = maintenanceBytes / 4;
  const taken = sharedBuffersBytes + maintenanceBytes + autovacuumWorkers * autovacuumBytes + memoryBytes / 8;
  return {
    sharedBuffersBytes,
    maintenanceBytes,
    autovacuumBytes,
    sessionsBytes: memoryBytes - taken,
    parallelWorkers: cpus === 1 ? 0 : Math.min(cpus, Math.max(1, Math.floor(memoryBytes / (gigabyte / 2)))),
  };
}

/** Connections when each session may take so much for a sort. */
function roomFor({ sessionsBytes, parallelWorkers }: Shares, sortBytes: number): number {
  return Math.floor(sessionsBytes / (sessionBytes + sortsPerSession * sortBytes)) - parallelWorkers;
}

/**
 * Connections for this many workers, whose pools to both servers may meet on one of them after a failover. A fifth is set
 * aside; during a reload it has room for one more worker.
 */
function countFor(workers: number, maxOpen: number): number {
  const usual = ((2 * workers * maxOpen + reservedByServer) * 5) / 4;
  const atReload = 2 * (workers + 1) * maxOpen + reservedByServer + metricsConnections;
  return Math.ceil(Math.max(usual, atReload) / 10) * 10;
}

/**
 * As many connections as the pools can use, up to the guide's 500, while 4MB for each sort fit; fewer for each sort where
 * that leaves a worker's pool too small. Throws `OperatorError` with the arithmetic where 1MB does not fit, either.
 */
export function planMemory(profile: Profile): MemoryPlan {
  const shares = shareOut(profile);
  const workers = profile.workers * profile.instances;
  const needed = countFor(workers, leastOpen);
  const most = Math.min(mostConnections, roomFor(shares, workMem.leastBytes));
  if (needed > most) refuse(profile, needed, most);
  const useful = Math.min(guideConnections, countFor(workers, guideMaxOpen));
  const comfortable = Math.floor(Math.min(useful, roomFor(shares, workMem.comfortableBytes)) / 10) * 10;
  const maxConnections = Math.max(needed, comfortable);
  const { sessionsBytes, parallelWorkers, ...rest } = shares;
  const each = (sessionsBytes / (maxConnections + parallelWorkers) - sessionBytes) / sortsPerSession;
  return { ...rest, parallelWorkers, maxConnections, workMemBytes: Math.min(workMem.mostBytes, each) };
}

/** The most workers of one instance whose connections fit; at least one, which may be refused then. */
export function mostWorkers(machine: Pick<Profile, 'memoryBytes' | 'cpus' | 'instances'>): number {
  const room = Math.floor(roomFor(shareOut(machine), workMem.leastBytes) / 10) * 10;
  const usual = ((room * 4) / 5 - reservedByServer) / (2 * leastOpen);
  const atReload = (room - reservedByServer - metricsConnections) / (2 * leastOpen) - 1;
  return Math.max(1, Math.floor(Math.min(usual, atReload) / machine.instances));
}

function refuse({ workers, instances, memoryBytes }: Profile, needed: number, most: number): void {
  throw new OperatorError(
    `${workers * instances} workers need max_connections = ${needed}, at ${2 * leastOpen} each, with one more during a reload and a fifth for administration; ` +
      `${showMemorySize(memoryBytes)} has room for ${most}, at ${showMemorySize(roomOfSession)} each. ` +
      'Give fewer --workers or --instances, or more --memory.',
  );
}

const roomOfSession = sessionBytes + sortsPerSession * workMem.leastBytes;
