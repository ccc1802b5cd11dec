import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { latenciesOf } from './build-report.ts';
import {
  measure,
  withServer,
  type Driven,
  type Interrupts,
  type Measurement,
  type ServerOptions,
} from './load-test.ts';
import type { Screen } from './progress.ts';
import { saturationReasons } from './saturation.ts';
import { durationOf, steady } from './schedule.ts';

/** How one rate is measured. */
export interface RateOptions {
  /** Not counted. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly processes: number;
  readonly deadlineMs: number;
}

export interface CapacityOptions extends ServerOptions, Omit<RateOptions, 'warmUpSeconds' | 'seconds'> {
  /** A rate is held when no request fails and the 99th percentile is at most this. */
  readonly p99Ms: number;
  /** Users per second of the first step. */
  readonly fromRate: number;
  readonly stepSeconds: number;
}

export interface CapacityStep {
  /** Users that arrived per second; each makes five requests. */
  readonly usersPerSecond: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly failed: number;
  /** CPU of server and databases, in percent of one core; undefined when the processes are not visible. */
  readonly systemCpuPercent: number | undefined;
  readonly verdict: 'held' | 'missed' | 'generator saturated';
}

export interface Capacity {
  /** The highest rate that was held; 0 when none was. */
  readonly usersPerSecond: number;
  readonly steps: readonly CapacityStep[];
}

const warmUpSeconds = 3;
/** Doubling from 50 passes 100,000 users per second after 11 steps; bisecting takes 4. */
const maxSteps = 15;
/** The search ends when the lowest missed rate is at most this factor above the highest rate that was held. */
const defaultPrecision = 1.08;

/** Finds the highest rate that holds, within 8 %. Prints the steps as they are measured, and writes them to a file. */
export async function findCapacity(
  options: CapacityOptions,
  interrupts: Interrupts,
  screen: Screen,
): Promise<Capacity> {
  return await withServer(options, interrupts, async (driven) => {
    screen.write(`${header}\n`);
    const attempt = async (rate: number): Promise<CapacityStep> => {
      const measured = await measureRate(
        rate,
        { ...options, warmUpSeconds, seconds: options.stepSeconds },
        driven,
        interrupts,
      );
      const step = judgeStep(rate, measured, options);
      screen.write(`${renderStep(step)}\n`);
      return step;
    };
    const capacity = await search(options.fromRate, interrupts.stopping, async (rate) => {
      const step = await attempt(rate);
      // A stall of the machine looks the same, and is short.
      return step.verdict === 'generator saturated' && !interrupts.stopping.aborted ? await attempt(rate) : step;
    });
    screen.write(`${conclude(capacity, options)}\n`);
    await writeFile(join(options.reportDir, 'capacity.json'), `${JSON.stringify(capacity, undefined, 2)}\n`);
    return capacity;
  });
}

/** Doubles the rate until it is not held (or halves it until it is), then bisects, geometrically. */
export async function search(
  fromRate: number,
  stopping: AbortSignal,
  attempt: (usersPerSecond: number) => Promise<CapacityStep>,
  precision = defaultPrecision,
): Promise<Capacity> {
  const steps: CapacityStep[] = [];
  let held = 0;
  let missed = Infinity;
  for (let rate = fromRate; steps.length < maxSteps && rate >= 1; rate = nextRate(held, missed)) {
    const step = await attempt(rate);
    if (stopping.aborted) break; // This step was interrupted.
    steps.push(step);
    if (step.verdict === 'held') held = rate;
    else missed = rate;
    if (missed <= Math.max(held * precision, held + 1)) break;
  }
  return { usersPerSecond: held, steps };
}

function nextRate(held: number, missed: number): number {
  if (missed === Infinity) return held * 2;
  return held === 0 ? Math.floor(missed / 2) : Math.round(Math.sqrt(held * missed));
}

/** Drives the guide's requests at this rate of users. */
export async function measureRate(
  usersPerSecond: number,
  { warmUpSeconds: warmUp, seconds, processes, deadlineMs }: RateOptions,
  driven: Driven,
  interrupts: Interrupts,
): Promise<Measurement> {
  const phases = [steady(usersPerSecond, warmUp + seconds)];
  const { address, host, token } = driven.target;
  const countFromMs = (durationOf(phases) - seconds) * 1000;
  const plan = { type: 'stress', phases, address, host, token, checks: 'strict', deadlineMs, countFromMs } as const;
  return await measure(plan, driven, { ...interrupts, processes, onSecond: () => undefined });
}

export function judgeStep(
  usersPerSecond: number,
  { outcome, system, tookMs }: Measurement,
  limits: Pick<CapacityOptions, 'p99Ms' | 'stepSeconds'>,
): CapacityStep {
  const { p99Ms, failed, requestsPerSecond } = latenciesOf(outcome.total(), limits.stepSeconds);
  const isHeld = failed === 0 && p99Ms <= limits.p99Ms;
  const isSaturated = saturationReasons(outcome).length > 0;
  const cpuMs = system && system.serverCpuMs + system.databasesCpuMs;
  return {
    usersPerSecond,
    requestsPerSecond,
    p99Ms,
    failed,
    systemCpuPercent: cpuMs === undefined ? undefined : (cpuMs / tookMs) * 100,
    verdict: isSaturated ? 'generator saturated' : isHeld ? 'held' : 'missed',
  };
}

const header = ['users/s', 'requests/s', 'p99', 'failed', 'system CPU', ''].map((title) => title.padStart(11)).join('');

function renderStep(step: CapacityStep): string {
  const { usersPerSecond, requestsPerSecond, p99Ms, failed, systemCpuPercent, verdict } = step;
  const cpu = systemCpuPercent === undefined ? '-' : `${systemCpuPercent.toFixed(0)} %`;
  const cells = [String(usersPerSecond), requestsPerSecond.toFixed(0), `${p99Ms.toFixed(1)} ms`, String(failed), cpu];
  return `${cells.map((cell) => cell.padStart(11)).join('')}  ${verdict}`;
}

function conclude(capacity: Capacity, { p99Ms }: CapacityOptions): string {
  const { usersPerSecond, steps } = capacity;
  const target = `no failure, p99 at most ${p99Ms} ms`;
  const best = steps.find((step) => step.usersPerSecond === usersPerSecond);
  const found =
    best === undefined
      ? `No rate that was tried holds the target (${target}).`
      : `Capacity: ${usersPerSecond} users/s, ${best.requestsPerSecond.toFixed(0)} requests/s (${target}).`;
  return [found, explainLimit(capacity, availableParallelism())].filter((line) => line !== undefined).join('\n');
}

/** Fraction of all cores. Below it, the server's CPU was not the limit. */
const busyShare = 0.6;

/** Why the search ended, if not because of the server's CPU: the generator, or waiting. */
export function explainLimit({ usersPerSecond, steps }: Capacity, cores: number): string | undefined {
  const above = steps.filter((step) => step.usersPerSecond > usersPerSecond);
  const [missed] = above.toSorted((one, other) => one.usersPerSecond - other.usersPerSecond);
  if (missed === undefined) return undefined;
  const at = `At ${missed.usersPerSecond} users/s`;
  if (missed.verdict === 'generator saturated')
    return `${at} the generator was the limit, not the server: try --processes, or another machine.`;
  const { systemCpuPercent: cpu, failed, p99Ms } = missed;
  if (cpu === undefined || failed > 0 || cpu >= busyShare * cores * 100) return undefined;
  return (
    `${at} server and databases used ${cpu.toFixed(0)} % of one core, of ${cores} cores: the limit was not their CPU. ` +
    `The p99 of ${p99Ms.toFixed(1)} ms came from waiting: for the disk, for the generator on the same machine, or for the machine itself.`
  );
}
