import type { Snapshot } from './metrics.ts';
import type { SlowStatement } from './slow-statements.ts';

/** All metrics of all processes at one moment. Plain data. */
export interface Collection {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly metrics: Snapshot;
  /** The serving processes, by number. */
  readonly workers: readonly ObservedWorker[];
  /** Slow statements of all workers, newest first. */
  readonly slowStatements: readonly SlowStatement[];
}

/** The report of one worker. Plain data. */
export interface Measurement {
  readonly metrics: Snapshot;
  readonly slowStatements: readonly SlowStatement[];
}

/** One worker; without numbers while it does not answer. */
export interface ObservedWorker {
  readonly worker: number;
  readonly pid: number;
  readonly metrics: Snapshot | undefined;
}

/**
 * Resolves with a collection that is at most `maxAgeMs` old, within about a second even when workers or databases do not answer.
 * Callers that poll each second pass 500, and so share collections.
 */
export type Collect = (maxAgeMs?: number) => Promise<Collection>;
