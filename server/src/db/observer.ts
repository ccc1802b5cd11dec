import type { Requester } from './caller.ts';
import type { Role } from './pool.ts';

export interface EndedStatement {
  readonly pool: Role;
  /** The statement's name, never its text or values. */
  readonly name: string;
  /**
   * By the pool's clock. From handing it to the connection; pipelined statements include the wait for those before
   * them.
   */
  readonly beganMs: number;
  readonly durationMs: number;
  /** The remaining time of its call when it began. */
  readonly deadlineMs: number;
  /** The number of its calls; 1 outside a batch. */
  readonly batchSize: number;
  /** The caller of the first of them; undefined without one. */
  readonly requester?: Requester | undefined;
  readonly failed: boolean;
}

interface SentBatch {
  readonly pool: Role;
  /** The kind of call. */
  readonly name: string;
  /** Distinct calls; merged ones count once. */
  readonly size: number;
  /** Of the call that waited longest. */
  readonly waitMs: number;
}

export interface EndedWait {
  readonly pool: Role;
  readonly ms: number;
}

/**
 * Observes the database engine. Called on the hot path: observers must be fast, must not throw, and must not keep their
 * arguments.
 */
export interface DbObserver {
  statementEnded(statement: EndedStatement): void;
  batchSent(batch: SentBatch): void;
  /** A call that found all connections in use has got one, was refused, or has left. */
  waitEnded(wait: EndedWait): void;
}

/** Combines observers; undefined without any, which costs nothing. */
export function observeDbBy(observers: readonly Partial<DbObserver>[]): DbObserver | undefined {
  if (observers.length === 0) return undefined;
  return {
    statementEnded: (statement) => {
      for (const one of observers) one.statementEnded?.(statement);
    },
    batchSent: (batch) => {
      for (const one of observers) one.batchSent?.(batch);
    },
    waitEnded: (wait) => {
      for (const one of observers) one.waitEnded?.(wait);
    },
  };
}
