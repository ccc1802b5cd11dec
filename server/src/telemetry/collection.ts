import type { Snapshot } from './metrics.ts';

/** All metrics of all processes at one moment. Plain data. */
export interface Collection {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly metrics: Snapshot;
}

/**
 * Resolves with a collection that is at most `maxAgeMs` old, within about a second also when workers or databases do not
 * answer. Whoever wants one each second asks each second, for one that may be half a second old: then all who ask share it.
 */
export type Collect = (maxAgeMs?: number) => Promise<Collection>;
