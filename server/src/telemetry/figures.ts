import type { LiveSample, LiveServer } from './live-sample.ts';

/** Changes between two samples, or the state at the second one. Durations in seconds, fractions from 0 to 1. */
export interface Figures {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** API requests, including those that were shed. */
  readonly perSecond: number;
  readonly succeededPerSecond: number;
  /** 4xx. */
  readonly rejectedPerSecond: number;
  /** 5xx. */
  readonly failedPerSecond: number;
  /** Requests shed under overload. */
  readonly refusedPerSecond: number;
  /** 5xx answers as a fraction of all. */
  readonly errorPart: number;
  readonly inFlight: number;
  /** Requests behind the percentiles. */
  readonly timed: number;
  /** Undefined when no request ended. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
  /** Statements and calls waiting for a connection. */
  readonly waiting: number;
  /** Fraction of the reads answered by standbys; undefined without reads. */
  readonly byStandby: number | undefined;
  /** The largest replication lag; undefined without a standby. */
  readonly lagSeconds: number | undefined;
  /** Busy fraction of the machine's cores, by all programs and by our Node.js processes. */
  readonly machineCpu: number | undefined;
  readonly ownCpu: number | undefined;
  /** Of our Node.js processes. */
  readonly memoryBytes: number | undefined;
  /** Used fraction of the machine's memory. */
  readonly machineMemory: number | undefined;
  /** Used fraction of the fullest disk of the embedded servers. */
  readonly disk: number | undefined;
  /** Used fraction of the limit, of the process nearest to it. */
  readonly openFiles: number | undefined;
}

export function figuresOf(previous: LiveSample, current: LiveSample): Figures {
  const seconds = Math.max(0.001, (current.atMs - previous.atMs) / 1_000);
  const [before, now] = [previous.http, current.http];
  const byClass = Object.entries(now.ended).map(
    ([status, count]) => [status, rise(count, before.ended[status])] as const,
  );
  const ended = (status: string): number => sum(byClass.filter(([one]) => one === status).map(([, count]) => count));
  const total = sum(byClass.map(([, count]) => count));
  const counts = now.durations.counts.map((count, n) => rise(count, before.durations.counts[n]));
  const quantile = (part: number): number | undefined => quantileOf(now.durations.bounds, counts, part);
  const failed = ended('5xx');
  return {
    atMs: current.atMs,
    perSecond: total / seconds,
    succeededPerSecond: (total - ended('4xx') - failed) / seconds,
    rejectedPerSecond: ended('4xx') / seconds,
    failedPerSecond: failed / seconds,
    refusedPerSecond: rise(now.overloaded, before.overloaded) / seconds,
    errorPart: total === 0 ? 0 : failed / total,
    inFlight: now.inFlight,
    timed: sum(counts),
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    waiting: sum(current.pools.map((pool) => pool.waiting)),
    byStandby: partByStandby(previous.reads, current.reads),
    lagSeconds: largest(current.servers.map((server) => server.lagSeconds)),
    disk: largest(current.servers.map(diskInUse)),
    ...machineFigures(previous.machine, current.machine),
  };
}

function diskInUse({ diskFreeBytes, diskSizeBytes = 0 }: LiveServer): number | undefined {
  return diskFreeBytes === undefined || diskSizeBytes === 0 ? undefined : 1 - diskFreeBytes / diskSizeBytes;
}

type MachineFigures = Pick<Figures, 'machineCpu' | 'ownCpu' | 'memoryBytes' | 'machineMemory' | 'openFiles'>;

function machineFigures(before: LiveSample['machine'], now: LiveSample['machine']): MachineFigures {
  const busy = rise(now.busySeconds, before.busySeconds);
  const all = busy + rise(now.idleSeconds, before.idleSeconds);
  const { memoryBytes, totalMemoryBytes, availableMemoryBytes, openFiles } = now;
  return {
    machineCpu: all === 0 ? undefined : busy / all,
    ownCpu: all === 0 ? undefined : Math.min(1, rise(now.ownCpuSeconds, before.ownCpuSeconds) / all),
    memoryBytes,
    machineMemory: totalMemoryBytes === 0 ? undefined : 1 - availableMemoryBytes / totalMemoryBytes,
    openFiles: largest(openFiles.map(({ open, limit }) => (limit === undefined ? undefined : open / limit))),
  };
}

/** Counters restart with the server. */
function rise(now: number, before: number | undefined): number {
  return before === undefined || now < before ? now : now - before;
}

/**
 * Like Prometheus' `histogram_quantile`: interpolates within a bucket, and returns the last bound for values above it. `counts`
 * has one more entry than `bounds`; `part` is from 0 to 1.
 */
export function quantileOf(bounds: readonly number[], counts: readonly number[], part: number): number | undefined {
  const rank = sum(counts) * part;
  if (rank === 0) return undefined;
  let below = 0;
  for (const [n, bound] of bounds.entries()) {
    const here = counts[n] ?? 0;
    if (here > 0 && below + here >= rank) {
      const lower = bounds[n - 1] ?? 0;
      return lower + ((bound - lower) * (rank - below)) / here;
    }
    below += here;
  }
  return bounds.at(-1);
}

function partByStandby(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): number | undefined {
  const reads = Object.entries(now).map(([who, count]) => ({ who, count: rise(count, before[who]) }));
  const total = sum(reads.map(({ count }) => count));
  if (total === 0) return undefined;
  return sum(reads.filter(({ who }) => who.startsWith('standby')).map(({ count }) => count)) / total;
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
