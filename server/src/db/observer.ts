import type { Asker } from './caller.ts';
import type { Role } from './pool.ts';

export interface EndedStatement {
  readonly pool: Role;
  /** The statement's name, never its text or values. */
  readonly name: string;
  /** By the pool's clock. From handing it to the connection; those that were sent behind others wait for them. */
  readonly beganMs: number;
  readonly durationMs: number;
  /** What was left of its call's time when it began. */
  readonly deadlineMs: number;
  /** Calls that it made; 1 when it was not a batch's. */
  readonly batchSize: number;
  /** Whose call came first of them; undefined when nobody in particular waits. */
  readonly asker?: Asker | undefined;
  readonly failed: boolean;
}

interface SentBatch {
  readonly pool: Role;
  /** The kind of call. */
  readonly name: string;
  /** Calls in it; those that share one place are one. */
  readonly size: number;
  /** Of the call that waited longest. */
  readonly waitMs: number;
}

export interface EndedWait {
  readonly pool: Role;
  readonly ms: number;
}

/**
 * Is told what the database engine does, while it does it. Called on the hot path: an observer is quick, never throws and
 * keeps nothing of what it is given.
 */
export interface DbObserver {
  statementEnded(statement: EndedStatement): void;
  batchSent(batch: SentBatch): void;
  /** A call found all connections lent out, and has got one now, was refused, or has left. */
  waitEnded(wait: EndedWait): void;
}

/** Several as one; undefined when there is nobody to tell, which costs nothing. */
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
