import { join } from 'node:path';

import { latenciesOf } from '../build-report.ts';
import { measure, type Driven, type Interrupts, type Measurement } from '../load-test.ts';
import type { Plan } from '../messages.ts';
import type { Latencies } from '../report.ts';
import { saturationReasons } from '../saturation.ts';
import { steady } from '../schedule.ts';
import { startServer } from '../started-server.ts';
import { systemOf } from '../system-cpu.ts';
import { resolveTarget } from '../target.ts';
import { flagsOf, type Configuration } from './configurations.ts';
import { searchRate } from './search-rate.ts';

/** How much is measured. */
export interface Effort {
  /** Users per second of the common load, each with the guide's five requests. */
  readonly usersPerSecond: number;
  readonly loadSeconds: number;
  readonly warmUpSeconds: number;
  /** Of one rate, in the search for the capacity. */
  readonly stepSeconds: number;
  /** In that search. */
  readonly bisections: number;
  /** A rate is held when no request fails and the 99th percentile is at most this. */
  readonly p99Ms: number;
}

/** What one configuration did in one round. */
export interface Visit {
  readonly configuration: string;
  readonly load: Latencies;
  /** Per request of the common load; undefined where the processes cannot be seen. */
  readonly cpu: { readonly serverMicros: number; readonly databasesMicros: number } | undefined;
  /** Requests per second of the highest rate that was held; 0 when none was; undefined when it was not looked for. */
  readonly capacity: number | undefined;
  readonly isSaturated: boolean;
  readonly maxStallMs: number;
}

/** A request that takes longer has failed: one that comes this late is of no use to the rate that is tried. */
const deadlineMs = 5_000;

/**
 * Starts the server on the configuration's own data folder below `root`, measures it, and ends it, whatever comes.
 * `use` may look at the running server, when the measurements are done.
 */
export async function visit(
  configuration: Configuration,
  options: {
    readonly root: string;
    readonly effort: Effort;
    readonly withCapacity: boolean;
    readonly interrupts: Interrupts;
    readonly use: ((dataDir: string) => Promise<void>) | undefined;
  },
): Promise<Visit> {
  const { root, effort, withCapacity, interrupts, use } = options;
  const folder = configuration.name.replaceAll(/\W+/gu, '-').toLowerCase();
  const dataDir = join(root, folder);
  const server = await startServer({
    // Of two data folders the last one holds.
    options: ['--data-dir', dataDir, '--log-level', 'warn', ...flagsOf(configuration.options)],
    logFile: join(root, `${folder}.log`),
    stopping: interrupts.stopping,
  });
  try {
    const target = await resolveTarget(server.baseUrl, { allowRemote: false });
    const driven: Driven = { target, look: systemOf(server.pid) };
    const load = await drive(effort.usersPerSecond, effort.loadSeconds, effort, driven, interrupts);
    const capacity = withCapacity ? await findCapacity(effort, driven, interrupts) : undefined;
    await use?.(dataDir);
    return { configuration: configuration.name, ...summarise(load, effort), capacity };
  } finally {
    await server.stop(interrupts.atOnce);
  }
}

function summarise(
  { outcome, system, stalls }: Measurement,
  effort: Effort,
): Omit<Visit, 'configuration' | 'capacity'> {
  const load = latenciesOf(outcome.total(), effort.loadSeconds);
  // CPU is counted from the first arrival on, requests from the end of the warm-up on: the rate is the same.
  const requests = Math.max(1, load.count * (1 + effort.warmUpSeconds / effort.loadSeconds));
  const cpu = system && {
    serverMicros: (system.serverCpuMs * 1_000) / requests,
    databasesMicros: (system.databasesCpuMs * 1_000) / requests,
  };
  return { load, cpu, isSaturated: saturationReasons(outcome).length > 0, maxStallMs: stalls.maxStallMs };
}

async function drive(
  usersPerSecond: number,
  seconds: number,
  effort: Effort,
  { target, look }: Driven,
  interrupts: Interrupts,
): Promise<Measurement> {
  const plan: Plan = {
    type: 'load',
    phases: [steady(usersPerSecond, effort.warmUpSeconds + seconds)],
    address: target.address,
    host: target.host,
    checks: 'strict',
    deadlineMs,
    countFromMs: effort.warmUpSeconds * 1_000,
  };
  const measured = await measure(plan, { target, look }, { ...interrupts, processes: 1, onSecond: () => undefined });
  interrupts.stopping.throwIfAborted(); // What was cut is no measurement.
  return measured;
}

/** A generator that falls behind does not end the search: its lateness counts as latency, so it never flatters. */
async function findCapacity(effort: Effort, driven: Driven, interrupts: Interrupts): Promise<number> {
  const rates = new Map<number, number>();
  const highest = await searchRate(effort.usersPerSecond, effort.bisections, async (rate) => {
    const { outcome } = await drive(rate, effort.stepSeconds, effort, driven, interrupts);
    const { p99Ms, failed, requestsPerSecond } = latenciesOf(outcome.total(), effort.stepSeconds);
    rates.set(rate, requestsPerSecond);
    return failed === 0 && p99Ms <= effort.p99Ms;
  });
  return rates.get(highest) ?? 0;
}
