import { cpus, totalmem } from 'node:os';

import { misses, type Assertion } from './assertions.ts';
import type { Outcome, RequestOutcome } from './outcome.ts';
import { reportPhases } from './phase-report.ts';
import type { Stalls } from './probe.ts';
import type { ChatFacts, Latencies, MachineFacts, Report, RequestLatencies, RunFacts } from './report.ts';
import { saturationReasons } from './saturation.ts';
import type { Phase } from './schedule.ts';
import type { SystemCpu } from './system-cpu.ts';

/** The results of a run. */
export interface Findings {
  readonly run: RunFacts;
  readonly phases: readonly Phase[];
  readonly outcome: Outcome;
  readonly assertions: readonly Assertion[];
  readonly stalls: Stalls;
  /** Of all processes of the load test. */
  readonly ownCpuMs: number;
  /** CPU of the system under test during the run. */
  readonly system: SystemCpu | undefined;
}

export function buildReport({ run, phases, outcome, assertions, stalls, ownCpuMs, system }: Findings): Report {
  const total = outcome.total();
  const seconds = run.tookMs / 1000;
  const latencies = latenciesOf(total, seconds);
  const requests = Array.from(outcome.requests.values(), (one) => requestLatencies(one, seconds));
  return {
    version: 1,
    run,
    machine: machineFacts(),
    ...judge({ total: latencies, requests, assertions, outcome }),
    total: latencies,
    requests,
    errors: Array.from(outcome.faults.values(), ({ example, ...fault }) => ({ ...fault, example })).toSorted(
      (a, b) => b.count - a.count,
    ),
    ...(run.type === 'chat' ? { chat: chatFacts(outcome) } : {}),
    generator: {
      cpuMs: ownCpuMs,
      eventLoopDelayP99Ms: outcome.eventLoopDelayP99Ms,
      eventLoopDelayMaxMs: outcome.eventLoopDelayMaxMs,
      lateStartsP99Ms: outcome.lateStarts.percentileMs(99),
    },
    probe: { p99StallMs: stalls.p99StallMs, maxStallMs: stalls.maxStallMs },
    system,
    phases: reportPhases(phases, outcome.timeline),
    timeline: outcome.timeline.map(({ second }) => second),
    histogram: [...total.all().buckets()],
  };
}

/** A generator that fell behind measured itself: then there is no verdict on the server, unless it broke a promise. */
function judge({
  total,
  requests,
  assertions,
  outcome,
}: Pick<Report, 'total' | 'requests'> & Pick<Findings, 'assertions' | 'outcome'>): Pick<Report, 'verdict' | 'reasons'> {
  const saturation = saturationReasons(outcome);
  const broken = outcome.violations.list().map(({ kind, count }) => `${kind}: ${count}`);
  const missed = [...broken, ...misses(total, assertions, requests)];
  if (saturation.length > 0 && broken.length === 0)
    return { verdict: 'generator saturated', reasons: [...saturation, ...missed] };
  return { verdict: missed.length === 0 ? 'passed' : 'failed', reasons: [...missed, ...saturation] };
}

function chatFacts({ conversations, messages, violations, socketEnds }: Outcome): ChatFacts {
  const ends = Array.from(socketEnds, ([code, count]) => ({ code, count }));
  return { conversations, messages, violations: violations.list(), socketEnds: ends };
}

function requestLatencies(outcome: RequestOutcome, seconds: number): RequestLatencies {
  return { name: outcome.name, isArrival: outcome.isArrival, ...latenciesOf(outcome, seconds) };
}

/** The rate is over `seconds`. */
export function latenciesOf(outcome: RequestOutcome, seconds: number): Latencies {
  const { ok, failed } = outcome;
  const both = outcome.all();
  return {
    count: both.count,
    ok: ok.count,
    failed: failed.count,
    minMs: both.minMs,
    maxMs: both.maxMs,
    meanMs: both.meanMs,
    stdDevMs: both.stdDevMs,
    p50Ms: both.percentileMs(50),
    p75Ms: both.percentileMs(75),
    p95Ms: both.percentileMs(95),
    p99Ms: both.percentileMs(99),
    requestsPerSecond: both.count / seconds,
    distribution: {
      under100Ms: ok.under100Ms,
      under500Ms: ok.under500Ms,
      from500Ms: ok.count - ok.under100Ms - ok.under500Ms,
      failed: failed.count,
    },
  };
}

function machineFacts(): MachineFacts {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}
