import type { LoadGenerator, LoadReport } from '../load.ts';
import { deletePassing, insertUsers, prepare } from '../prepare.ts';
import { cpuUsOf, machineBusyUs } from '../process-cpu.ts';
import type { Cell } from './cells.ts';
import type { SharedDatabases } from './databases.ts';
import type { Side } from './sides.ts';
import { SystemCalls } from './system-calls.ts';

/** One measurement of a cell on a side. Microseconds and bytes are per successful request. */
export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverUs: number;
  readonly databaseUs: number;
  readonly bytes: number;
  readonly failures: number;
  /** See `LoadReport`. */
  readonly clientUse: number;
  /** Cores used by the rest of the machine; high values invalidate the figures. */
  readonly othersUse: number;
  readonly latestMs: number;
}

/** Values of a separate run, because counting costs CPU. Per request. */
export interface Census {
  readonly statements: number | undefined;
  readonly commits: number | undefined;
  /** Of the server's processes, and of the databases; undefined where `perf` cannot count them. */
  readonly serverCalls: number | undefined;
  readonly databaseCalls: number | undefined;
}

/** More than a machine deletes in a second; a load that has deleted them all ends early. */
const doomedPerSecond = { alone: 6_000, together: 25_000 };

export interface Bench {
  readonly databases: SharedDatabases;
  readonly generator: LoadGenerator;
  readonly seconds: number;
}

/** Loads a side between two readings of `read`, and cleans up after the second. */
export async function load<Reading>(
  cell: Cell,
  side: Side,
  bench: Bench,
  read: () => Promise<Reading> | Reading,
): Promise<{ readonly report: LoadReport; readonly before: Reading; readonly after: Reading }> {
  const { connections, calls } = cell.load;
  const rate = connections === 1 ? doomedPerSecond.alone : doomedPerSecond.together;
  const doomed = calls.includes('delete') ? rate * bench.seconds : 0;
  if (doomed > 0) await prepare(side.endpoints, insertUsers('doomed', doomed));
  const loading = await bench.generator.open({ ...cell.load, port: side.port, seconds: bench.seconds, doomed });
  const before = await read();
  const report = await loading.go();
  const after = await read();
  // Clean-up of one load must not count in the next.
  if (calls.some(isWrite)) await prepare(side.endpoints, deletePassing, 'vacuum users');
  return { report, before, after };
}

function isWrite(call: string): boolean {
  return call === 'post' || call === 'put' || call === 'delete';
}

export async function measure(cell: Cell, side: Side, bench: Bench): Promise<Sample> {
  const cpu = () => ({
    server: cpuUsOf([side.pid]),
    databases: cpuUsOf(bench.databases.postmasters),
    machine: machineBusyUs(),
  });
  const { report, before, after } = await load(cell, side, bench, cpu);
  const serverUs = after.server - before.server;
  const databaseUs = after.databases - before.databases;
  const othersUs = after.machine - before.machine - serverUs - databaseUs - report.clientCpuUs;
  const { requests, perSecond, p50Ms, p99Ms, failures, clientUse, latestMs, bytes } = report;
  return {
    perSecond,
    p50Ms,
    p99Ms,
    failures,
    clientUse,
    latestMs,
    bytes: bytes / requests,
    serverUs: serverUs / requests,
    databaseUs: databaseUs / requests,
    othersUse: Math.max(0, othersUs) / ((requests / perSecond) * 1_000_000),
  };
}

export async function takeCensus(cell: Cell, side: Side, bench: Bench): Promise<Census> {
  const server = await SystemCalls.count([side.pid]);
  const databases = await SystemCalls.count(bench.databases.postmasters);
  const { report, before, after } = await load(cell, side, bench, async () => ({
    ...(await bench.databases.counts()),
    serverCalls: await server?.soFar(),
    databaseCalls: await databases?.soFar(),
  }));
  const per = (key: keyof Census): number | undefined => {
    const [from, to] = [before[key], after[key]];
    return from === undefined || to === undefined ? undefined : (to - from) / report.requests;
  };
  await Promise.all([server?.stop(), databases?.stop()]);
  return {
    statements: per('statements'),
    commits: per('commits'),
    serverCalls: per('serverCalls'),
    databaseCalls: per('databaseCalls'),
  };
}
