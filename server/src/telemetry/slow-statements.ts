import type { DbObserver, EndedStatement } from '../db/observer.ts';
import type { Log } from './log.ts';
import { SampledLog } from './sampled-log.ts';

/** Plain data, so that it can be sent to another process. Never the statement's text or its values. */
export interface SlowStatement {
  /** When it ended, in milliseconds since 1970. */
  readonly atMs: number;
  readonly pool: EndedStatement['pool'];
  /** The statement's name. */
  readonly statement: string;
  readonly durationMs: number;
  /** Calls in its batch; 1 without a batch. */
  readonly batchSize: number;
  /** Without the wait for a connection. */
  readonly deadlineMs: number;
  readonly failed: boolean;
}

export interface SlowStatementsOptions {
  /** A statement that takes at least this long is slow. */
  readonly slowMs: number;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** How many are kept. */
export const mostRecent = 20;
const mostPerSecond = 10;

/** Logs each slow statement with the request that waited for it, at most ten per second, and keeps the last twenty for /ops. */
export class SlowStatements implements Pick<DbObserver, 'statementEnded'> {
  readonly #log: Log;
  readonly #options: SlowStatementsOptions;
  readonly #sample: SampledLog;
  readonly #recent: SlowStatement[] = [];

  constructor(log: Log, options: SlowStatementsOptions) {
    this.#log = log;
    this.#options = options;
    this.#sample = new SampledLog(log, { mostPerSecond, leftOut: 'slow statements were not logged one by one' });
  }

  /** Oldest first. */
  get recent(): readonly SlowStatement[] {
    return this.#recent;
  }

  statementEnded({ pool, name, durationMs, batchSize, deadlineMs, failed, requester }: EndedStatement): void {
    if (durationMs < this.#options.slowMs) return;
    const rounded = { durationMs: Math.round(durationMs), deadlineMs: Math.round(deadlineMs) };
    const slow = { pool, statement: name, ...rounded, batchSize, failed };
    this.#recent.push({ atMs: this.#options.now(), ...slow });
    if (this.#recent.length > mostRecent) this.#recent.shift();
    if (!this.#sample.take()) return;
    this.#log.warn({ ...slow, requestId: requester?.requestId, traceId: requester?.traceId }, 'a statement was slow');
  }

  /** Writes the count of omitted lines. */
  close(): void {
    this.#sample.close();
  }
}
