/** Messages between the run and its generator processes. Plain data. */
import type { Address, Fault } from './connection.ts';
import type { PackedDistribution } from './distribution.ts';
import type { LoadTypeName } from './load-types.ts';
import type { Violation } from './chat/violations.ts';
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
  /** Of type `chat`. */
  readonly chat?: ChatPlan;
}

export interface ChatPlan {
  readonly people: readonly { readonly userId: string; readonly token: string }[];
  /** With their members, as places in `people`. */
  readonly conversations: readonly { readonly id: string; readonly members: readonly number[] }[];
  /** People connect within this time before the start of the run. */
  readonly connectMs: number;
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
  /** Not a request: a message that arrived at somebody else. */
  readonly isArrival: boolean;
}

export interface FaultTally extends Fault {
  readonly request: string;
  readonly count: number;
}

export interface ChatTally {
  readonly violations: readonly Violation[];
  /** Ends of sockets that the server closed or that broke, by close code. */
  readonly ends: readonly { readonly code: number; readonly count: number }[];
  readonly conversations: number;
  /** Acknowledged ones. */
  readonly messages: number;
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
  /** Of type `chat`. */
  readonly chat?: ChatTally | undefined;
}
