import { join } from 'node:path';

import { latenciesOf } from '../build-report.ts';
import { judgeStep, measureRate, search, type CapacityStep } from '../capacity.ts';
import { withServer, type Driven, type Interrupts, type Measurement } from '../load-test.ts';
import type { Latencies } from '../report.ts';
import { saturationReasons } from '../saturation.ts';
import { flagsOf, type Configuration } from './configurations.ts';

export interface Effort {
  /** Users per second of the common load, each with the guide's five requests. */
  readonly usersPerSecond: number;
  readonly loadSeconds: number;
  readonly warmUpSeconds: number;
  /** Of one rate, in the search for the capacity. */
  readonly stepSeconds: number;
  /** Of that search: the factor between the rates that bound the capacity. */
  readonly precision: number;
  /** A rate is held when no request fails and the 99th percentile is at most this. */
  readonly p99Ms: number;
}

/** The results of one configuration in one round. */
export interface Visit {
  readonly configuration: string;
  readonly load: Latencies;
  /** Per request of the common load; undefined when the processes are not visible. */
  readonly cpu: { readonly serverMicros: number; readonly databasesMicros: number } | undefined;
  /** Requests per second of the highest rate that was held; 0 when none was; undefined when not measured. */
  readonly capacity: number | undefined;
  readonly isSaturated: boolean;
  readonly maxStallMs: number;
}

/** A request that takes longer has failed. */
const deadlineMs = 5_000;

/** Starts the server on the configuration's own data folder below `root`, measures it, and stops it in any case. */
export async function visit(
  { name, options }: Configuration,
  {
    root,
    effort,
    withCapacity,
    interrupts,
    use,
  }: {
    readonly root: string;
    readonly effort: Effort;
    readonly withCapacity: boolean;
    readonly interrupts: Interrupts;
    /** May use the running server after the measurements. */
    readonly use: ((dataDir: string) => Promise<void>) | undefined;
  },
): Promise<Visit> {
  const reportDir = join(root, name.replaceAll(/\W+/gu, '-').toLowerCase());
  const dataDir = join(reportDir, 'data');
  // The last of two options --data-dir counts.
  const start = ['--data-dir', dataDir, '--log-level', 'warn', ...flagsOf(options)];
  return await withServer({ baseUrl: '', allowRemote: false, start, reportDir }, interrupts, async (driven) => {
    const load = await drive(effort.usersPerSecond, effort.loadSeconds, effort, driven, interrupts);
    const capacity = withCapacity ? await findCapacity(effort, driven, interrupts) : undefined;
    await use?.(dataDir);
    return { configuration: name, ...summarise(load, effort), capacity };
  });
}

function summarise(
  { outcome, system, stalls }: Measurement,
  effort: Effort,
): Omit<Visit, 'configuration' | 'capacity'> {
  const load = latenciesOf(outcome.total(), effort.loadSeconds);
  // CPU includes the warm-up, requests do not; the rate is the same.
  const requests = Math.max(1, load.count * (1 + effort.warmUpSeconds / effort.loadSeconds));
  const cpu = system && {
    serverMicros: (system.serverCpuMs * 1_000) / requests,
    databasesMicros: (system.databasesCpuMs * 1_000) / requests,
  };
  return { load, cpu, isSaturated: saturationReasons(outcome).length > 0, maxStallMs: stalls.maxStallMs };
}

/** Rejects when the run is interrupted: an incomplete measurement is invalid. */
async function drive(
  usersPerSecond: number,
  seconds: number,
  { warmUpSeconds }: Effort,
  driven: Driven,
  interrupts: Interrupts,
): Promise<Measurement> {
  const options = { warmUpSeconds, seconds, processes: 1, deadlineMs };
  const measured = await measureRate(usersPerSecond, options, driven, interrupts);
  interrupts.stopping.throwIfAborted();
  return measured;
}

/** A saturated generator does not end the search: its lateness counts as latency, so it never improves a result. */
async function findCapacity(effort: Effort, driven: Driven, interrupts: Interrupts): Promise<number> {
  const attempt = async (rate: number): Promise<CapacityStep> => {
    const step = judgeStep(rate, await drive(rate, effort.stepSeconds, effort, driven, interrupts), effort);
    return { ...step, verdict: step.failed === 0 && step.p99Ms <= effort.p99Ms ? 'held' : 'missed' };
  };
  const { usersPerSecond, steps } = await search(effort.usersPerSecond, interrupts.stopping, attempt, effort.precision);
  return steps.find((step) => step.usersPerSecond === usersPerSecond)?.requestsPerSecond ?? 0;
}
