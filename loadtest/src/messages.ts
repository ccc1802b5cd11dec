/** Messages between the run and its generator processes. Plain data. */
import type { Address, Fault } from './connection.ts';
import type { PackedDistribution } from './distribution.ts';
import type { LoadTypeName } from './load-types.ts';
import type { Phase } from './schedule.ts';

export type Checks = 'strict' | 'guide';

/** The same for all generators of a run. */
export interface Plan {
  readonly type: LoadTypeName;
  readonly phases: readonly Phase[];
  readonly address: Address;
  /** The Host header. */
  readonly host: string;
  /** Of a session; undefined for none. */
  readonly token: string | undefined;
  readonly checks: Checks;
  readonly deadlineMs: number;
  /** Requests due before this are warm-up, and not counted. */
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

/** The results of one generator. */
export interface Tally {
  readonly requests: readonly RequestTally[];
  readonly faults: readonly FaultTally[];
  readonly usersStarted: number;
  /** How long after its time a request was sent. */
  readonly lateStarts: PackedDistribution;
  /** Of the process since its start. */
  readonly cpuMs: number;
  readonly eventLoopDelayP99Ms: number;
  readonly eventLoopDelayMaxMs: number;
}
