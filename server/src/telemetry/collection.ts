import type { Snapshot } from './metrics.ts';
import type { SlowStatement } from './slow-statements.ts';

/** All metrics of all processes at one moment. Plain data. */
export interface Collection {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly metrics: Snapshot;
  /** The processes that serve, by their number. */
  readonly workers: readonly ObservedWorker[];
  /** The newest of all workers, newest first. */
  readonly slowStatements: readonly SlowStatement[];
}

/** What one worker tells of itself. Plain data. */
export interface Measurement {
  readonly metrics: Snapshot;
  readonly slowStatements: readonly SlowStatement[];
}

/** One worker by itself; its numbers are missing while it does not answer. */
export interface ObservedWorker {
  readonly worker: number;
  readonly pid: number;
  readonly metrics: Snapshot | undefined;
}

/**
 * Resolves with a collection that is at most `maxAgeMs` old, within about a second also when workers or databases do not
 * answer. Whoever wants one each second asks each second, for one that may be half a second old: then all who ask share it.
 */
export type Collect = (maxAgeMs?: number) => Promise<Collection>;
