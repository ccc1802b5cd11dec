/** The results of a run: the content of `report.json`, and the source of the console block and `report.html`. */
import type { Violation } from './chat/violations.ts';
import type { Checks } from './messages.ts';

export interface Report {
  readonly version: 1;
  readonly run: RunFacts;
  readonly machine: MachineFacts;
  readonly verdict: 'passed' | 'failed' | 'generator saturated';
  /** Empty when passed. */
  readonly reasons: readonly string[];
  readonly total: Latencies;
  readonly requests: readonly RequestLatencies[];
  readonly errors: readonly ReportedError[];
  /** Of type `chat`. */
  readonly chat?: ChatFacts;
  readonly generator: GeneratorFacts;
  /** Wake-up delays of an idle process during the run. */
  readonly probe: { readonly p99StallMs: number; readonly maxStallMs: number };
  /** CPU of the system under test during the run; only of a visible local one. */
  readonly system: { readonly serverCpuMs: number; readonly databasesCpuMs: number } | undefined;
  readonly phases: readonly PhaseLatencies[];
  readonly timeline: readonly Second[];
  /** The latency distribution, in ascending order. */
  readonly histogram: readonly { readonly upToMs: number; readonly count: number }[];
}

export interface RunFacts {
  readonly type: string;
  readonly users: number;
  readonly durationSeconds: number;
  readonly baseUrl: string;
  readonly checks: Checks;
  readonly processes: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly tookMs: number;
  /** Ended early by Ctrl-C. */
  readonly interrupted: boolean;
}

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly node: string;
}

export interface Latencies {
  /** `ok + failed`. */
  readonly count: number;
  readonly ok: number;
  readonly failed: number;
  /** Milliseconds from the time a request was due; of all requests. */
  readonly minMs: number;
  readonly maxMs: number;
  readonly meanMs: number;
  readonly stdDevMs: number;
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly requestsPerSecond: number;
  /** The guide's ranges: below 100 ms, below 500 ms, from 500 ms on; failed requests count only in `failed`. */
  readonly distribution: {
    readonly under100Ms: number;
    readonly under500Ms: number;
    readonly from500Ms: number;
    readonly failed: number;
  };
}

export interface RequestLatencies extends Latencies {
  /** `Create User`, as in the guide. */
  readonly name: string;
  /** Not a request, and not in the total: a message that arrived at another member. */
  readonly isArrival: boolean;
}

export interface ChatFacts {
  readonly conversations: number;
  /** Acknowledged messages. */
  readonly messages: number;
  /** Broken promises of the server, the most frequent kind first. */
  readonly violations: readonly Violation[];
  /** Ends of sockets that the server closed or that broke, by close code. */
  readonly socketEnds: readonly { readonly code: number; readonly count: number }[];
}

interface ReportedError {
  readonly request: string;
  readonly kind: string;
  readonly count: number;
  /** Never a user's data. */
  readonly example: string | undefined;
}

interface GeneratorFacts {
  /** Of all processes of the load test. */
  readonly cpuMs: number;
  readonly eventLoopDelayP99Ms: number;
  readonly eventLoopDelayMaxMs: number;
  /** How late requests were sent. */
  readonly lateStartsP99Ms: number;
}

/** One phase of the arrivals. */
export interface PhaseLatencies extends Pick<Latencies, 'count' | 'failed' | 'p50Ms' | 'p99Ms' | 'maxMs'> {
  /** Since the start of the run. */
  readonly fromSecond: number;
  readonly toSecond: number;
  /** Arrivals. */
  readonly users: number;
}

export interface Second {
  /** Since the start of the run. */
  readonly second: number;
  readonly requests: number;
  readonly failed: number;
  /** 503 with Retry-After. */
  readonly refused: number;
  readonly activeUsers: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
