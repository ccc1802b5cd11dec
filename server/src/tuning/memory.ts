import { metricsConnections } from '../db/connection-budget.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Profile } from './profile.ts';
import { showMemorySize } from './memory-size.ts';

const megabyte = 2 ** 20;
const gigabyte = 2 ** 30;

/** The memory of the guide's server: its 256MB of buffers are a quarter of it, as the guide advises. */
export const guideMemoryBytes = gigabyte;

/** The guide's `max_connections` and pool size. */
const guideConnections = 500;
export const guideMaxOpen = 100;

/** With a smaller pool, a worker's batches wait. */
export const minOpen = 6;

/** Defaults of superuser_reserved_connections and reserved_connections. */
export const reservedByServer = 3;

/** A session without its sorts: catalog and plan caches, stack, connection buffers. */
const sessionBytes = 2 * megabyte;

/** Our sessions run one sort or hash at a time; a hash takes `hash_mem_multiplier` (2) times `work_mem`. */
const sortsPerSession = 2;

/** With 4MB, PostgreSQL's default, our statements never sort on disk; below 1MB pages of many clients do. */
const workMem = { minBytes: megabyte, comfortableBytes: 4 * megabyte, maxBytes: 64 * megabyte };

/** Default of autovacuum_max_workers. */
const autovacuumWorkers = 3;

/** PostgreSQL's maximum. */
const connectionsLimit = 262_143;

/** How one server's memory is divided: the sum never exceeds it, with all sessions active. */
export interface MemoryPlan {
  readonly sharedBuffersBytes: number;
  readonly maintenanceBytes: number;
  /** Per autovacuum worker. */
  readonly autovacuumBytes: number;
  readonly workMemBytes: number;
  readonly maxConnections: number;
  readonly parallelWorkers: number;
}

interface Shares extends Pick<MemoryPlan, 'sharedBuffersBytes' | 'maintenanceBytes' | 'autovacuumBytes'> {
  /** For sessions and their parallel workers, after an eighth for the system. */
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

/** The number of connections if each sort may take this much. */
function roomFor({ sessionsBytes, parallelWorkers }: Shares, sortBytes: number): number {
  return Math.floor(sessionsBytes / (sessionBytes + sortsPerSession * sortBytes)) - parallelWorkers;
}

/**
 * Connections for this many workers; after a failover both pools may be on one server. A fifth is reserved; during a
 * reload it has room for one more worker.
 */
function countFor(workers: number, maxOpen: number): number {
  const usual = ((2 * workers * maxOpen + reservedByServer) * 5) / 4;
  const atReload = 2 * (workers + 1) * maxOpen + reservedByServer + metricsConnections;
  return Math.ceil(Math.max(usual, atReload) / 10) * 10;
}

/**
 * As many connections as the pools can use, up to the guide's 500, while 4MB per sort fit; less per sort if a worker's
 * pool would be too small. Throws `OperatorError` with the calculation if 1MB does not fit, either.
 */
export function planMemory(profile: Profile): MemoryPlan {
  const shares = shareOut(profile);
  const workers = profile.workers * profile.instances;
  const needed = countFor(workers, minOpen);
  const available = Math.min(connectionsLimit, roomFor(shares, workMem.minBytes));
  if (needed > available) refuse(profile, needed, available);
  const useful = Math.min(guideConnections, countFor(workers, guideMaxOpen));
  const comfortable = Math.floor(Math.min(useful, roomFor(shares, workMem.comfortableBytes)) / 10) * 10;
  const maxConnections = Math.max(needed, comfortable);
  const { sessionsBytes, parallelWorkers, ...rest } = shares;
  const each = (sessionsBytes / (maxConnections + parallelWorkers) - sessionBytes) / sortsPerSession;
  return { ...rest, parallelWorkers, maxConnections, workMemBytes: Math.min(workMem.maxBytes, each) };
}

/** The maximum of workers of one instance whose connections fit; at least one, even if that does not fit. */
export function maxWorkers(machine: Pick<Profile, 'memoryBytes' | 'cpus' | 'instances'>): number {
  const room = Math.floor(roomFor(shareOut(machine), workMem.minBytes) / 10) * 10;
  const usual = ((room * 4) / 5 - reservedByServer) / (2 * minOpen);
  const atReload = (room - reservedByServer - metricsConnections) / (2 * minOpen) - 1;
  return Math.max(1, Math.floor(Math.min(usual, atReload) / machine.instances));
}

function refuse({ workers, instances, memoryBytes }: Profile, needed: number, available: number): void {
  throw new OperatorError(
    `${workers * instances} workers need max_connections = ${needed}, at ${2 * minOpen} each, with one more during a reload and a fifth for administration; ` +
      `${showMemorySize(memoryBytes)} has room for ${available}, at ${showMemorySize(roomOfSession)} each. ` +
      'Give fewer --workers or --instances, or more --memory.',
  );
}

const roomOfSession = sessionBytes + sortsPerSession * workMem.minBytes;
