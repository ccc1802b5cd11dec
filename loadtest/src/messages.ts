/** What the run and its generator processes say to each other. Plain data. */
import type { Address, Fault } from './connection.ts';
import type { PackedDistribution } from './distribution.ts';
import type { LoadTypeName } from './load-types.ts';
import type { Phase } from './schedule.ts';

export type Checks = 'strict' | 'guide';

/** What all generators of a run have in common. */
export interface Plan {
  readonly type: LoadTypeName;
  readonly phases: readonly Phase[];
  readonly address: Address;
  /** The Host header. */
  readonly host: string;
  readonly checks: Checks;
  readonly deadlineMs: number;
  /** What is due before this is not counted: warm-up. */
  readonly countFromMs: number;
}

/** Of `parts` generators, this one takes users `part`, `part + parts`, … */
export interface Share {
  readonly part: number;
  readonly parts: number;
}

export type ToGenerator =
  /** `startAtMs` is on the system's monotonic clock (`process.hrtime`), which all processes share. */
  | { readonly type: 'run'; readonly plan: Plan; readonly share: Share; readonly startAtMs: number }
  /** Ends the arrivals and cuts the users. */
  | { readonly type: 'stop' };

export type FromGenerator =
  | { readonly type: 'ready' }
  | ({ readonly type: 'second' } & SecondTally)
  | ({ readonly type: 'done' } & Tally);

/** One second of one generator. */
export interface SecondTally {
  readonly second: number;
  readonly failed: number;
  readonly refused: number;
  readonly activeUsers: number;
  readonly latencies: PackedDistribution;
  /** CPU of this process in this second. */
  readonly cpuMs: number;
}

export interface RequestTally {
  readonly name: string;
  readonly ok: PackedDistribution;
  readonly failed: PackedDistribution;
}

export interface FaultTally extends Fault {
  readonly request: string;
  readonly count: number;
}

/** All that one generator has seen. */
export interface Tally {
  readonly requests: readonly RequestTally[];
  readonly faults: readonly FaultTally[];
  readonly usersStarted: number;
  /** How long after its time a request was sent. */
  readonly lateStarts: PackedDistribution;
  /** Of the process, from its birth. */
  readonly cpuMs: number;
  readonly eventLoopDelayP99Ms: number;
  readonly eventLoopDelayMaxMs: number;
}
