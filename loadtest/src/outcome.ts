import { Distribution, type PackedDistribution } from './distribution.ts';
import { Violations } from './chat/violations.ts';
import type { ChatTally, FaultTally, RequestTally, SecondTally, Tally } from './messages.ts';
import type { Second } from './report.ts';

/** The results of one kind of request, or of all. */
export class RequestOutcome {
  readonly name: string;
  readonly ok = new Distribution();
  readonly failed = new Distribution();
  readonly isArrival: boolean;

  constructor(name: string, isArrival = false) {
    this.name = name;
    this.isArrival = isArrival;
  }

  merge({ ok, failed }: Pick<RequestTally, 'ok' | 'failed'>): void {
    this.ok.merge(ok);
    this.failed.merge(failed);
  }

  all(): Distribution {
    return new Distribution().merge(this.ok.pack()).merge(this.failed.pack());
  }
}

/** One second of the run, all generators merged. */
export interface MeasuredSecond {
  readonly second: Second;
  readonly latencies: PackedDistribution;
  /** CPU of the busiest generator process, as a fraction of a core. */
  readonly busiestCpuShare: number;
}

/** The results of the run: the tallies of all generators, merged. */
export class Outcome {
  readonly requests = new Map<string, RequestOutcome>();
  readonly faults = new Map<string, FaultTally>();
  readonly lateStarts = new Distribution();
  readonly timeline: MeasuredSecond[] = [];
  usersStarted = 0;
  /** Of all generator processes. */
  cpuMs = 0;
  eventLoopDelayP99Ms = 0;
  eventLoopDelayMaxMs = 0;
  readonly violations = new Violations();
  readonly socketEnds = new Map<number, number>();
  conversations = 0;
  messages = 0;

  merge(tally: Tally): void {
    for (const request of tally.requests) {
      const known = this.requests.get(request.name) ?? new RequestOutcome(request.name, request.isArrival);
      known.merge(request);
      this.requests.set(request.name, known);
    }
    for (const fault of tally.faults) this.#mergeFault(fault);
    if (tally.chat !== undefined) this.#mergeChat(tally.chat);
    this.lateStarts.merge(tally.lateStarts);
    this.usersStarted += tally.usersStarted;
    this.cpuMs += tally.cpuMs;
    this.eventLoopDelayP99Ms = Math.max(this.eventLoopDelayP99Ms, tally.eventLoopDelayP99Ms);
    this.eventLoopDelayMaxMs = Math.max(this.eventLoopDelayMaxMs, tally.eventLoopDelayMaxMs);
  }

  #mergeChat({ violations, ends, conversations, messages }: ChatTally): void {
    for (const violation of violations) this.violations.merge(violation);
    for (const { code, count } of ends) this.socketEnds.set(code, (this.socketEnds.get(code) ?? 0) + count);
    this.conversations += conversations;
    this.messages += messages;
  }

  #mergeFault(fault: FaultTally): void {
    const key = `${fault.request}\n${fault.kind}`;
    const count = (this.faults.get(key)?.count ?? 0) + fault.count;
    this.faults.set(key, { ...fault, count });
  }

  total(): RequestOutcome {
    const total = new RequestOutcome('Global Information');
    for (const { ok, failed, isArrival } of this.requests.values())
      if (!isArrival) total.merge({ ok: ok.pack(), failed: failed.pack() });
    return total;
  }
}

export function mergeSeconds(second: number, tallies: readonly SecondTally[]): MeasuredSecond {
  const latencies = new Distribution();
  for (const tally of tallies) latencies.merge(tally.latencies);
  const sum = (pick: (tally: SecondTally) => number): number => tallies.reduce((all, tally) => all + pick(tally), 0);
  return {
    second: {
      second,
      requests: latencies.count,
      failed: sum(({ failed }) => failed),
      refused: sum(({ refused }) => refused),
      activeUsers: sum(({ activeUsers }) => activeUsers),
      p50Ms: latencies.percentileMs(50),
      p95Ms: latencies.percentileMs(95),
      p99Ms: latencies.percentileMs(99),
      maxMs: latencies.maxMs,
    },
    latencies: latencies.pack(),
    busiestCpuShare: Math.max(0, ...tallies.map(({ cpuMs }) => cpuMs / 1000)),
  };
}
