import type { LiveSample, LiveServer } from './live-sample.ts';

/** What happened between two samples, or how it was at the second. Durations in seconds, parts from 0 to 1. */
export interface Figures {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Requests of the API, also those that were refused early. */
  readonly perSecond: number;
  readonly succeededPerSecond: number;
  /** 4xx. */
  readonly rejectedPerSecond: number;
  /** 5xx. */
  readonly failedPerSecond: number;
  /** Refused early, to save the others. */
  readonly refusedPerSecond: number;
  /** Answers that were 5xx, of all. */
  readonly errorPart: number;
  readonly inFlight: number;
  /** Requests that the percentiles are made of. */
  readonly timed: number;
  /** Undefined when nothing ended. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
  /** Statements and calls that wait for a connection. */
  readonly waiting: number;
  /** Part of the reads that a standby answered; undefined without reads. */
  readonly byStandby: number | undefined;
  /** Of the standby that is furthest behind; undefined without one. */
  readonly lagSeconds: number | undefined;
  /** Part of the machine's cores that was busy, with other programs, and by our own Node.js processes alone. */
  readonly machineCpu: number | undefined;
  readonly ownCpu: number | undefined;
  /** Of our own Node.js processes. */
  readonly memoryBytes: number | undefined;
  /** Part of the machine's memory that is in use. */
  readonly machineMemory: number | undefined;
  /** Part of the disk in use, of the embedded server that has least left. */
  readonly disk: number | undefined;
  /** Part of the limit, of the process that is nearest to it. */
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

/** The counters may begin anew with the server. */
function rise(now: number, before: number | undefined): number {
  return before === undefined || now < before ? now : now - before;
}

/**
 * As Prometheus' `histogram_quantile`: evenly spread within a bucket; above the last bound nothing is known but the bound. `counts`
 * has one more than `bounds`; `part` is from 0 to 1.
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
